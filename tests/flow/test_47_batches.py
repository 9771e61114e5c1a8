"""Many events in one request of a sink, each with its own delivery, key and end."""

import json
import unittest

from flow.flow import Flow
from flow.parts import IN, event, rule, sink

ONE_AT_A_TIME = "batch = 20\nconcurrency = 1\nretry = 1m, 50ms..200ms"


def configuration(keys=ONE_AT_A_TIME):
    return IN + sink("out", keys) + rule("all", "order.*", "out")


def arrays(flow, status=200):
    """What each request carried, as lists of events, in order."""
    return [json.loads(e["body"]) for e in flow.cloud.seen("sink") if e["status"] == status]


def ids(flow):
    """Of the events that were taken, in the order the receiver saw them."""
    return [e["id"] for array in arrays(flow) for e in array]


def keys(flow):
    """Every key each event ever came with, refused requests included."""
    found = {}
    for entry in flow.cloud.seen("sink"):
        for e in json.loads(entry["body"]):
            found.setdefault(e["id"], set()).add(e["idempotencykey"])
    return found


class Batches(unittest.TestCase):
    def receive_together(self, flow, numbers, subject="s{}"):
        """In one request, so that they are ready together."""
        together = [event(n, subject=subject.format(n)) for n in numbers]
        self.assertEqual(202, flow.post("/in", together, {
            "Content-Type": "application/cloudevents-batch+json"}))

    def test_what_is_ready_goes_together_each_event_with_its_own_key(self):
        with Flow(self, configuration()) as flow:
            self.receive_together(flow, range(30))
            flow.settled()
            self.assertEqual([20, 10], [len(a) for a in arrays(flow)])
            self.assertEqual([f"e{n}" for n in range(30)], ids(flow))
            self.assertEqual(30, len(set.union(*keys(flow).values())))
            headers = dict(flow.cloud.seen("sink")[0]["headers"])
            self.assertEqual("application/cloudevents-batch+json", headers["Content-Type"])

    def test_a_bad_event_dies_alone(self):
        with Flow(self, configuration()) as flow:
            flow.cloud.trouble("sink", contains='"e7"', status=400, code="not this one")
            self.receive_together(flow, range(16))
            letter = flow.expect_dead()[0]
            self.assertIn("400", letter["why"])
            flow.settled()
            self.assertEqual({f"e{n}" for n in range(16)} - {"e7"}, set(ids(flow)))
            self.assertEqual(15, len(ids(flow)), "nobody was delivered twice")
            self.assertTrue(all(len(k) == 1 for k in keys(flow).values()), "keys stay")
            self.check_trail(flow)

    def check_trail(self, flow):
        """A neighbour of the bad one tells how it got there, and that it cost no attempt."""
        seq = next(e["seq"] for e in flow.events() if e["id"] == "e8")
        text = json.dumps(flow.lines("events", "show", str(seq)))
        self.assertIn("split", text)
        self.assertIn("not this one", text)

    def test_a_request_that_is_too_large_is_halved(self):
        with Flow(self, configuration()) as flow:
            flow.cloud.trouble("sink", times=1, status=413)
            self.receive_together(flow, range(16))
            flow.settled()
            self.assertEqual([8, 8], [len(a) for a in arrays(flow)])
            self.assertEqual([], flow.letters())

    def test_order_a_subject_goes_together_and_stays_in_order_when_a_request_fails(self):
        with Flow(self, configuration("batch = 20\nretry = 1m, 50ms..200ms")) as flow:
            flow.cloud.trouble("sink", times=2, status=503)
            self.receive_together(flow, range(40), subject="the same")
            flow.settled()
            self.assertEqual([f"e{n}" for n in range(40)], ids(flow))
            self.assertEqual([20, 20], [len(a) for a in arrays(flow)])

    def test_killed_in_the_middle_of_a_request_nothing_is_lost_and_keys_stay(self):
        with Flow(self, configuration()) as flow:
            flow.cloud.trouble("sink", skip=1, slow=30)
            self.receive_together(flow, range(30))
            flow.until("a second request", lambda: len(flow.cloud.seen("sink")) == 2)
            flow.kill()
            flow.cloud.calm()
            flow.start()
            flow.settled()
            self.assertEqual({f"e{n}" for n in range(30)}, set(ids(flow)))
            self.assertTrue(all(len(k) == 1 for k in keys(flow).values()), "keys stay")
            self.assertEqual([], flow.letters())

    def test_lines(self):
        with Flow(self, configuration(ONE_AT_A_TIME + "\nmode = ndjson")) as flow:
            self.receive_together(flow, range(3))
            flow.settled()
            lines = [e["body"].splitlines() for e in flow.cloud.seen("sink")]
            self.assertEqual([3], [len(found) for found in lines])
            self.assertEqual("e2", json.loads(lines[0][2])["id"])

    def test_a_plugin_that_takes_one_event_at_a_time_says_so_in_check(self):
        with Flow(self, configuration(), start=False) as flow:
            flow.configure(IN + "[sink out]\nplugin = file\npath = x\nbatch = 5\n"
                           + rule("all", "order.*", "out"))
            done = flow.cli("check", check=False)
            self.assertEqual(78, done.returncode)
            self.assertIn("batch: plugin file takes one event at a time", done.stderr + done.stdout)


if __name__ == "__main__":
    unittest.main()
