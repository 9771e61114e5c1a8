"""Events in and out through plugins of no vendor: what DESIGN's table of §4.1 says of them."""

import json
import unittest

from flow.flow import Flow

RELAY = """
[source in]
plugin = http-in

[sink out]
plugin = http
url = ${env:CLOUD}/sink/out
retry = 1m, 50ms..200ms
%s

[rule all]
on = order.*
do = out
"""


def event(number=1, kind="order.placed", subject="a", **data):
    return {"specversion": "1.0", "id": f"e{number}", "source": "shop", "type": kind,
            "subject": subject, "data": {"number": number, **data}}


class Relay(unittest.TestCase):
    def flow(self, more="", **how):
        return Flow(self, RELAY % more, **how)

    def send(self, flow, *events):
        for each in events:
            self.assertEqual(202, flow.post("/in", each,
                                            {"Content-Type": "application/cloudevents+json"}))

    def arrived(self, flow, name="out"):
        """The numbers that reached the sink with an answer of 200, in order."""
        return [json.loads(e["body"])["data"]["number"] for e in flow.cloud.seen("sink", name)
                if e["status"] == 200]

    def expect(self, flow, *numbers, name="out"):
        flow.until(f"{numbers} at {name}", lambda: len(self.arrived(flow, name)) >= len(numbers))
        flow.settled()
        self.assertEqual(list(numbers), self.arrived(flow, name))

    def test_an_event_comes_in_and_leaves(self):
        with self.flow() as flow:
            self.send(flow, event(1))
            self.expect(flow, 1)

    def test_dedupe_a_repeat_is_accepted_and_not_delivered_again(self):
        with self.flow() as flow:
            self.send(flow, event(1), event(1))
            self.expect(flow, 1)
            flow.restart()
            self.send(flow, event(1), event(2))
            self.expect(flow, 1, 2)

    def test_an_event_sent_by_hand_is_routed(self):
        with self.flow() as flow:
            flow.cli("send", "-", text=json.dumps(event(7)))
            self.expect(flow, 7)

    def test_idempotency_key_attempts_and_restarts_repeat_it(self):
        with self.flow() as flow:
            flow.cloud.trouble("sink", status=503)
            self.send(flow, event(1))
            flow.until("two tries", lambda: len(flow.cloud.seen("sink")) >= 2)
            flow.restart()
            flow.cloud.calm()
            self.expect(flow, 1)
            keys = {v for e in flow.cloud.seen("sink") for n, v in e["headers"]
                    if n.lower() == "idempotency-key"}
            self.assertEqual(1, len(keys))

    def test_retry_obeys_retry_after(self):
        with self.flow() as flow:
            flow.cloud.trouble("sink", times=1, status=429, headers={"Retry-After": "1"})
            self.send(flow, event(1))
            self.expect(flow, 1)
            first, second = flow.cloud.seen("sink")
            self.assertGreaterEqual(second["at"] - first["at"], 0.95)

    def test_retry_a_bad_delivery_dies_at_once(self):
        with self.flow() as flow:
            flow.cloud.trouble("sink", status=404, code="gone")
            self.send(flow, event(1))
            letter = flow.expect_dead()[0]
            self.assertEqual("out", letter["target"])
            self.assertEqual(1, len(flow.cloud.seen("sink")))

    def test_retry_gives_up_when_its_time_is_over(self):
        with Flow(self, (RELAY % "").replace("1m, 50ms..200ms", "500ms, 50ms..100ms")) as flow:
            # Slow, so that the time is over before the breaker opens and stops the clock.
            flow.cloud.trouble("sink", status=503, slow=0.2)
            self.send(flow, event(1))
            flow.expect_dead()
            self.assertGreater(len(flow.cloud.seen("sink")), 1)

    def test_retry_a_redriven_dead_letter_arrives_and_leaves_the_list(self):
        with self.flow() as flow:
            number = flow.cloud.trouble("sink", status=404)
            self.send(flow, event(1))
            letter = flow.expect_dead()[0]
            flow.cloud.calm(number)
            flow.cli("dlq", "retry", letter["id"])
            self.expect(flow, 1)
            self.assertEqual([], flow.letters())

    def test_a_dropped_dead_letter_is_gone_and_says_why(self):
        with self.flow() as flow:
            flow.cloud.trouble("sink", status=404)
            self.send(flow, event(1))
            letter = flow.expect_dead()[0]
            flow.cli("dlq", "drop", letter["id"])
            self.assertEqual([], flow.letters())

    def test_breaker_opens_probes_one_at_a_time_and_everything_arrives_after(self):
        with self.flow() as flow:
            flow.cloud.trouble("sink", status=503)
            self.send(flow, *(event(n, subject=f"s{n}") for n in range(20)))
            flow.expect_events("pointsman.breaker.opened")
            flow.cloud.calm()
            flow.until("all", lambda: sorted(self.arrived(flow)) == list(range(20)))
            flow.expect_events("pointsman.breaker.closed")

    def test_order_one_subject_waits_for_its_first_others_pass(self):
        with self.flow() as flow:
            flow.cloud.trouble("sink", contains="\"held\"", status=503)
            self.send(flow, event(1, subject="a", mark="held"), event(2, subject="a"),
                      event(3, subject="b"))
            flow.until("a try", lambda: flow.cloud.seen("sink"))
            flow.cloud.calm()
            flow.until("all", lambda: len(self.arrived(flow)) == 3)
            order = self.arrived(flow)
            self.assertLess(order.index(1), order.index(2))

    def test_order_a_dead_one_lets_the_next_pass(self):
        with self.flow() as flow:
            flow.cloud.trouble("sink", contains="\"bad\"", status=400)
            self.send(flow, event(1, mark="bad"), event(2))
            self.expect(flow, 2)
            flow.expect_dead()

    def test_one_event_makes_one_delivery_per_target_whichever_rules_ask(self):
        with Flow(self, RELAY % "" + "\n[rule again]\non = order.placed\ndo = out\n") as flow:
            self.send(flow, event(1))
            self.expect(flow, 1)

    def test_a_then_b_starts_when_a_is_done_and_not_when_it_dies(self):
        with Flow(self, """
[source in]
plugin = http-in

[sink first]
plugin = http
url = ${env:CLOUD}/sink/first

[sink second]
plugin = http
url = ${env:CLOUD}/sink/second

[rule all]
on = order.*
do = first then second
""") as flow:
            flow.cloud.trouble("sink", operation="first", contains="\"bad\"", times=1, status=400)
            self.send(flow, event(1, subject="a"), event(2, subject="b", mark="bad"))
            self.expect(flow, 1, name="second")
            letter = flow.expect_dead()[0]
            flow.cli("dlq", "retry", letter["id"])
            self.expect(flow, 1, 2, name="second")
            first = [e["at"] for e in flow.cloud.seen("sink", "first")]
            second = [e["at"] for e in flow.cloud.seen("sink", "second")]
            self.assertLess(first[0], second[0])

    def test_else_is_asked_only_when_no_other_rule_matched(self):
        with Flow(self, RELAY % "" + """
[sink rest]
plugin = http
url = ${env:CLOUD}/sink/rest

[rule otherwise]
else = yes
do = rest
""") as flow:
            self.send(flow, event(1), event(2, kind="invoice.paid"))
            self.expect(flow, 1)
            self.expect(flow, 2, name="rest")

    def test_an_event_has_a_timeline(self):
        with self.flow() as flow:
            flow.cloud.trouble("sink", times=1, status=503)
            self.send(flow, event(1))
            self.expect(flow, 1)
            name = flow.events("order.placed")[0]["seq"]
            shown = flow.cli("events", "show", name).stdout
            for word in ("all", "out", "503", "done"):
                self.assertIn(word, shown)

    def test_an_event_nobody_wanted_is_listed_as_unrouted(self):
        with self.flow() as flow:
            self.send(flow, event(1, kind="invoice.paid"), event(2))
            self.expect(flow, 2)
            listed = flow.events(None, "--unrouted")
            self.assertEqual(["invoice.paid"], [e["type"] for e in listed])


WINDOWS = """
[source in]
plugin = http-in

[sink out]
plugin = http
url = ${env:CLOUD}/sink/out
body = {"count": "{{ window.count }}", "who": "{{ subject }}"}

[rule windowed]
on = order.*
%s
do = out
"""


class Sender(unittest.TestCase):
    def send(self, flow, *events):
        for each in events:
            self.assertEqual(202, flow.post("/in", each,
                                            {"Content-Type": "application/cloudevents+json"}))

    def bodies(self, flow):
        return [json.loads(e["body"]) for e in flow.cloud.seen("sink", "out")
                if e["status"] == 200]


class Windows(Sender):
    def test_a_firing_coalesce_makes_one_of_many_and_survives_a_restart(self):
        with Flow(self, WINDOWS % "coalesce = 700ms") as flow:
            self.send(flow, *(event(n) for n in range(3)))
            flow.restart()
            flow.until("the firing", lambda: self.bodies(flow))
            flow.settled()
            self.assertEqual([{"count": "3", "who": "a"}], self.bodies(flow))

    def test_a_firing_count_fires_at_the_third(self):
        with Flow(self, WINDOWS % "count = 3 in 10m") as flow:
            self.send(flow, *(event(n) for n in range(2)))
            flow.settled()
            self.assertEqual([], self.bodies(flow))
            self.send(flow, event(3))
            flow.until("the firing", lambda: self.bodies(flow))
            self.assertEqual("3", self.bodies(flow)[0]["count"])

    def test_a_firing_groups_are_kept_apart(self):
        with Flow(self, WINDOWS % "count = 2 in 10m\ngroup-by = subject") as flow:
            self.send(flow, event(1, subject="a"), event(2, subject="b"), event(3, subject="b"))
            flow.until("the firing", lambda: self.bodies(flow))
            flow.settled()
            self.assertEqual([{"count": "2", "who": "b"}], self.bodies(flow))



SLOTS = """
[source in]
plugin = http-in

[input left]
on = order.left

[input right]
on = order.right
%s

[sink out]
plugin = http
url = ${env:CLOUD}/sink/out
body = {"left": "{{ inputs.left.data.number }}", "right": "{{ inputs.right.data.number }}"}

[rule both]
inputs = left, right
do = out
"""


class Slots(Sender):
    def left(self, number):
        return event(number, "order.left")

    def right(self, number):
        return event(number, "order.right")

    def expect(self, flow, *pairs):
        flow.until(f"{pairs}", lambda: len(self.bodies(flow)) >= len(pairs))
        flow.settled()
        self.assertEqual([{"left": str(a), "right": str(b)} for a, b in pairs],
                         self.bodies(flow))

    def test_slots_fire_when_all_are_filled_and_one_is_new_and_survive_a_restart(self):
        with Flow(self, SLOTS % "") as flow:
            self.send(flow, self.left(1))
            flow.settled()
            self.assertEqual([], self.bodies(flow))
            flow.restart()
            self.send(flow, self.right(2))
            self.expect(flow, (1, 2))
            self.send(flow, self.left(3))
            self.expect(flow, (1, 2), (3, 2))

    def test_slots_whose_text_changed_are_empty_again(self):
        with Flow(self, SLOTS % "") as flow:
            self.send(flow, self.left(1), self.right(2))
            self.expect(flow, (1, 2))
            flow.stop()
            flow.configure(SLOTS % "where = data.number > 0")
            flow.start()
            self.send(flow, self.left(3))
            flow.settled()
            self.assertEqual(1, len(self.bodies(flow)))
            self.assertIn("right", flow.log())
            self.send(flow, self.right(4))
            self.expect(flow, (1, 2), (3, 4))


if __name__ == "__main__":
    unittest.main()
