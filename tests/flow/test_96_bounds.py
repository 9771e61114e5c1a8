"""More than it can take: memory, room and other senders when too much arrives."""

import json
import pathlib
import re
import socket
import unittest

from flow.flow import Flow
from flow.parts import IN, event, rule, sink
from flow.router import SLOW

LINES = {"Content-Type": "application/x-ndjson"}
ONE = {"Content-Type": "application/cloudevents+json"}
PATIENT = "retry = 1d, 100ms..300ms"
# Its own memory; pages of shared libraries come on top.
MEGABYTES = 32


def lines(first, count, pad=0, subjects=1):
    return "".join(json.dumps(event(n, subject=f"s{n % subjects}", pad="x" * pad)) + "\n"
                   for n in range(first, first + count))


class Upload:
    """A request whose body has been sent in part."""

    def __init__(self, flow, path, body, sent):
        self.socket = socket.create_connection(("127.0.0.1", flow.listen), 30)
        self.rest = body[sent:]
        head = (f"POST {path} HTTP/1.1\r\nHost: test\r\nContent-Length: {len(body)}\r\n"
                f"Content-Type: {LINES['Content-Type']}\r\n\r\n")
        self.socket.sendall(head.encode() + body[:sent])

    def finish(self):
        self.socket.sendall(self.rest)
        return self.answer()

    def answer(self, patience=30):
        """What is answered to what was sent so far, or nothing."""
        self.socket.settimeout(patience)
        with self.socket:
            try:
                return self.socket.recv(4096).decode()
            except TimeoutError:
                return ""


class Bounds(unittest.TestCase):
    def own_megabytes(self, flow):
        status = pathlib.Path(f"/proc/{flow.process.pid}/status").read_text()
        return int(re.search(r"RssAnon:\s+(\d+) kB", status)[1]) / 1024

    def post(self, flow, body, headers=LINES, path="/in"):
        return flow.post(path, body, headers)

    def waiting(self, flow, count, pad=0, at_once=2000, subjects=1):
        for first in range(0, count, at_once):
            self.assertEqual(202, self.post(flow, lines(first, at_once, pad, subjects)))

    @unittest.skipIf(SLOW > 1, "a sanitizer's memory says nothing")
    def test_what_waits_is_on_the_disk_and_not_in_memory(self):
        archive = "[sink archive]\nplugin = file\npath = ${env:HOME}/archive.jsonl\nfsync = no\n"
        down = "[sink down]\nplugin = http\nurl = http://127.0.0.1:1/\n"
        with Flow(self, IN + archive + down + rule("all", "order.*", "archive, down")) as flow:
            self.waiting(flow, 20000, subjects=1000)
            kept = flow.directory / "archive.jsonl"
            flow.until("the other sink to have all", lambda: kept.exists() and
                       kept.read_bytes().count(b"\n") == 20000, 60)
            self.assertLess(self.own_megabytes(flow), MEGABYTES)
            self.assertLess(flow.log().count("\n"), 100, "a line for each would be a flood")
            flow.restart()
            self.assertLess(self.own_megabytes(flow), MEGABYTES)
            (down,) = [line for line in flow.lines("status") if line.get("instance") == "down"]
            self.assertTrue(down["breaker_open"])

    @unittest.skipIf(SLOW > 1, "a sanitizer's memory says nothing")
    def test_large_events_that_wait_are_not_in_memory_either(self):
        down = "[sink down]\nplugin = http\nurl = http://127.0.0.1:1/\n"
        with Flow(self, IN + down + rule("all", "order.*", "down")) as flow:
            self.waiting(flow, 60, pad=900000, at_once=1)
            self.assertLess(self.own_megabytes(flow), MEGABYTES)

    def test_a_backlog_drains_in_order_when_its_sink_is_back(self):
        one_by_one = PATIENT + "\nconcurrency = 1"
        with Flow(self, IN + sink(more=one_by_one) + rule("all", "order.*", "out")) as flow:
            number = flow.cloud.trouble("sink", status=503)
            self.waiting(flow, 700, at_once=350)
            flow.until("tries", lambda: len(flow.cloud.seen("sink")) > 5)
            flow.cloud.calm(number)
            flow.until("all", lambda: len(flow.bodies()) == 700, 60)
            self.assertEqual(list(range(700)), [b["data"]["number"] for b in flow.bodies()])

    def test_a_sender_over_its_share_hears_429_and_others_get_in(self):
        two = "[source flood]\nplugin = http-in\n[source calm]\nplugin = http-in\n"
        with Flow(self, two, settings={"max-intake": "400k"}) as flow:
            body = lines(1, 1, pad=150000).encode()
            first = Upload(flow, "/flood", body, len(body) - 1)
            # The head of another is enough to be refused, once the first has arrived.
            refused = flow.until("a refusal",
                                 lambda: Upload(flow, "/flood", body, 0).answer(patience=0.2))
            self.assertIn("HTTP/1.1 429 ", refused)
            self.assertIn("Retry-After: ", refused)
            self.assertEqual(202, self.post(flow, lines(2, 1, pad=150000), path="/calm"))
            self.assertIn("HTTP/1.1 202 ", first.finish())
            self.assertEqual(202, self.post(flow, body, path="/flood"))

    def test_a_full_journal_stops_intake_until_what_waits_is_done(self):
        settings = {"max-journal": "16M"}
        with Flow(self, IN + sink(more=PATIENT) + rule("all", "order.*", "out"),
                  settings=settings) as flow:
            number = flow.cloud.trouble("sink", status=503)
            sent, status = 0, 202
            while status == 202 and sent < 200:
                status = self.post(flow, lines(4 * sent, 4, pad=200000))
                sent += status == 202
            self.assertEqual(503, status)
            self.assertIn("over `max-journal`", flow.log())
            flow.cloud.calm(number)
            flow.until("all that was accepted", lambda: len(flow.bodies()) == 4 * sent, 60)
            flow.until("room", lambda: self.post(flow, json.dumps(event(9999)), ONE) == 202, 60)
            flow.until("the new one", lambda: len(flow.bodies()) == 4 * sent + 1)


if __name__ == "__main__":
    unittest.main()
