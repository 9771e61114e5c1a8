"""Bad days of the network: answers that hang, break off or never end, at every byte."""

import contextlib
import socket
import time
import unittest

from flow.blunt import ANSWER, Blunt
from flow.certificates import Certificates
from flow.flow import Flow
from flow.outside import Outside
from flow.parts import IN, event, rule, sink
from flow.router import SLOW

TARGET = IN + """
[sink out]
plugin = http
url = http://127.0.0.1:PORT/
timeout = TIMEOUT
retry = 5m, 50ms..200ms
concurrency = 512
order-by = none
""" + rule("all", "order.*", "out")


def target(server, timeout="1s"):
    return TARGET.replace("PORT", str(server.port)).replace("TIMEOUT", timeout)


class BadNetwork(unittest.TestCase):
    def deliveries(self, flow):
        """The one delivery of each event, by the event's number."""
        numbers = [str(e["seq"]) for e in flow.events("order.placed")]
        shown = flow.lines("events", "show", *numbers)
        return {e["event"]["data"]["number"]: e["deliveries"][0] for e in shown}

    def first_attempts(self, behave, numbers, timeout="1s"):
        """Each event's first request is answered as `behave(peer, number)` does, the next as it
        should be; answers what the first attempt of each came to."""
        def first_or_well(peer, event, attempt):
            if attempt == 1:
                return behave(peer, event["data"]["number"])
            return peer.accept()

        with Blunt(first_or_well) as server, Flow(self, target(server, timeout)) as flow:
            flow.receive_at_once(event(n) for n in numbers)
            flow.settled()
            found = self.deliveries(flow)
            self.assertEqual({n: "done" for n in numbers},
                             {n: d["state"] for n, d in found.items()})
            self.assertEqual({n: 2 for n in numbers}, {n: d["attempts"] for n, d in found.items()})
            return {n: d["trail"][0]["why"] for n, d in found.items()}

    def test_an_answer_that_hangs_at_any_byte_is_given_up_at_timeout_and_retried(self):
        def behave(peer, number):
            peer.send(ANSWER[:number])
            return peer.hang()

        for number, why in self.first_attempts(behave, range(len(ANSWER))).items():
            self.assertRegex(why, r"no complete answer from 127\.0\.0\.1:\d+ within 1s",
                             f"byte {number}")

    def test_an_answer_that_breaks_off_at_any_byte_is_retried(self):
        def behave(peer, number):
            peer.send(ANSWER[:number])
            return False

        for number, why in self.first_attempts(behave, range(len(ANSWER)), "30s").items():
            self.assertRegex(why, "without an answer|was cut off", f"byte {number}")

    def test_an_answer_that_never_ends_is_cut_off(self):
        begin = b"HTTP/1.1 200 OK\r\n"
        endless = [
            ("body", begin + b"\r\n", b"x" * 10000, 0, "larger than 1048576 bytes"),
            ("chunks", begin + b"Transfer-Encoding: chunked\r\n\r\n", b"1000\r\n" + b"x" * 4096
             + b"\r\n", 0, "larger than 1048576 bytes"),
            ("headers", begin, b"X-More: and more\r\n", 0, "larger than 65536 bytes"),
            ("one header", begin + b"X-More: ", b"x" * 1000, 0, "a header in .* is larger than"),
            ("interim answers", b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0,
             "no complete answer|Too large response headers"),
            ("a byte now and then", begin + b"\r\n", b"x", 0.05, "no complete answer"),
        ]

        def behave(peer, number):
            _, start, more, pause, _ = endless[number]
            peer.send(start)
            return peer.send_for_ever(more, pause * SLOW)

        whys = self.first_attempts(behave, range(len(endless)), "2s")
        for number, (name, _, _, _, words) in enumerate(endless):
            self.assertRegex(whys[number], words, name)


def outside_sink(name, url, more=""):
    return f"""
[sink {name}]
plugin = http
url = {url}
timeout = 1s
retry = 5m, 50ms..200ms
{more}
"""


def well(peer, event, attempt):
    return peer.accept()


class Silent:
    """Takes connections and says nothing."""

    def __enter__(self):
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.socket.getsockname()[1]
        return self

    def __exit__(self, *_):
        self.socket.close()


class BadTls(unittest.TestCase):
    """TLS that is broken is named, retried, opens the breaker, and is delivered once mended."""

    def test_what_is_wrong_is_named_and_retried_until_it_is_mended(self):
        with contextlib.ExitStack() as stack:
            flow = Flow(self, start=False)
            made = Certificates(flow.directory)
            good = made.make("good")
            stranger = made.make("stranger")
            old = made.make("old", clock="-10d")
            other = made.make("other", host="DNS:example.org")
            servers = {name: Blunt(well, certificate) for name, certificate in (
                ("strange", stranger), ("expired", old), ("misnamed", other), ("plain", None))}
            servers["silent"] = Silent()
            for server in servers.values():
                stack.enter_context(server)
            flow.configure(IN + "".join(
                outside_sink(name, f"https://127.0.0.1:{server.port}/")
                for name, server in servers.items()) + rule("all", "order.*", ", ".join(servers)),
                {"ca": made.bundle(good, old, other)})
            with flow:
                flow.start()
                flow.receive(event(1))
                opened = flow.expect_events("pointsman.breaker.opened", len(servers))
                self.assertEqual(set(servers), {e["subject"] for e in opened})
                for name, words in (("strange", "self-signed certificate"),
                                    ("expired", "certificate has expired"),
                                    ("misnamed", "no alternative certificate subject name matches"),
                                    ("plain", "wrong version number"),
                                    ("silent", "within 1s")):
                    self.assertRegex(self.why(flow, name), rf"no TLS with 127\.0\.0\.1:\d+.*{words}")
                self.assertEqual([], flow.letters())
                stack.close()
                with contextlib.ExitStack() as mended:
                    for server in servers.values():
                        mended.enter_context(Blunt(well, good, server.port))
                    flow.settled()
                    self.assertEqual([], flow.letters())
                    flow.expect_events("pointsman.breaker.closed", len(servers))

    def why(self, flow, target):
        seq = str(flow.events("order.placed")[0]["seq"])
        deliveries = flow.lines("events", "show", seq)[0]["deliveries"]
        return next(d["why"] for d in deliveries if d["target"] == target)


class BadNames(unittest.TestCase):
    """Names that are not found, or whose servers do not answer, hold up those targets alone."""

    HOWS = ("gone", "unknown", "hangs")

    def test_a_name_that_is_not_found_is_retried_until_it_is(self):
        """One whose server hangs keeps the program from stopping no more than from the rest."""
        flow = Flow(self, start=False)
        outside = Outside(flow.directory)
        flow.environment.update(outside.environment())
        outside.names({f"{how}.invalid": how for how in self.HOWS})
        made = Certificates(flow.directory)
        certificate = made.make("far", ",".join(f"DNS:{how}.invalid" for how in self.HOWS))
        with Blunt(well, certificate) as server:
            flow.configure(IN + sink("near") + "".join(
                outside_sink(how, f"https://{how}.invalid:{server.port}/") for how in self.HOWS)
                + rule("all", "order.*", ", ".join(("near", *self.HOWS))),
                {"ca": made.bundle(certificate)})
            with flow:
                flow.start()
                flow.receive(event(1))
                flow.until("the near one", lambda: flow.cloud.seen("sink", "near"))
                flow.expect_events("pointsman.breaker.opened", len(self.HOWS))
                for how in self.HOWS:
                    self.assertRegex(flow.log(), f"no address found for {how}.invalid")
                flow.restart()
                self.assertEqual({}, server.attempts)
                outside.names({f"{how}.invalid": "127.0.0.1" for how in self.HOWS})
                flow.settled()
                self.assertEqual([], flow.letters())
                self.assertEqual({"e1": len(self.HOWS)}, server.attempts)


class SlowSinks(unittest.TestCase):
    """Each takes as long as it takes: neither given up early nor in the way of others."""

    def test_targets_that_hang_hold_up_no_other(self):
        """A hundred and twenty requests hang, more than a client keeps connections."""
        names = [f"slow{n}" for n in range(3)]
        with Blunt(lambda peer, *_: peer.hang()) as server:
            configuration = IN + "".join(
                outside_sink(name, f"http://127.0.0.1:{server.port}/",
                             "concurrency = 40\norder-by = none") for name in names) + sink()
            configuration = configuration.replace("timeout = 1s", "timeout = 15m")
            with Flow(self, configuration + rule("slow", "order.slow", ", ".join(names))
                      + rule("all", "order.placed", "out")) as flow:
                flow.receive_at_once(event(n, "order.slow") for n in range(40))
                flow.until("all to hang", lambda: sum(server.attempts.values()) == 120)
                flow.receive(*(event(n) for n in range(100, 110)))
                flow.until("the others", lambda: len(flow.bodies()) == 10)
                server.ending.set()

    def test_an_answer_that_takes_long_is_waited_for_and_asked_for_once(self):
        """As long as `timeout` says, were it 15m: here everything is some hundred times
        quicker."""
        def behave(peer, event, attempt):
            time.sleep(1.5)
            return peer.accept()

        with Blunt(behave) as server:
            configuration = IN + outside_sink("slow", f"http://127.0.0.1:{server.port}/")
            configuration = configuration.replace("timeout = 1s", "timeout = 1m")
            with Flow(self, configuration + rule("all", "order.*", "slow")) as flow:
                flow.receive_at_once(event(n, subject=f"s{n}") for n in range(8))
                flow.settled()
                self.assertEqual({f"e{n}": 1 for n in range(8)}, server.attempts)


if __name__ == "__main__":
    unittest.main()
