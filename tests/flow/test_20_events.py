"""Events in and out through plugins of no vendor: what docs/behaviour.md says of them."""

import json
import unittest

from flow.flow import Flow
from flow.parts import IN, event, rule, sink

RETRY = "retry = 1m, 50ms..200ms"
RELAY = IN + sink(more=RETRY) + rule("all", "order.*", "out")


class Relay(unittest.TestCase):
    def flow(self, more=""):
        return Flow(self, RELAY + more)

    def arrived(self, flow, name="out"):
        """The numbers that reached the sink with an answer of 200, in order."""
        return [body["data"]["number"] for body in flow.bodies(name)]

    def expect(self, flow, *numbers, name="out"):
        flow.until(f"{numbers} at {name}", lambda: len(self.arrived(flow, name)) >= len(numbers))
        flow.settled()
        self.assertEqual(list(numbers), self.arrived(flow, name))

    def test_an_event_comes_in_and_leaves(self):
        with self.flow() as flow:
            flow.receive(event(1))
            self.expect(flow, 1)

    def test_dedupe_a_repeat_is_accepted_and_not_delivered_again(self):
        with self.flow() as flow:
            flow.receive(event(1), event(1))
            self.expect(flow, 1)
            flow.restart()
            flow.receive(event(1), event(2))
            self.expect(flow, 1, 2)

    def test_an_event_sent_by_hand_is_routed(self):
        with self.flow() as flow:
            flow.cli("send", "-", text=json.dumps(event(7)))
            self.expect(flow, 7)

    def test_numbers_of_any_size_come_in_and_stay_as_they_were_written(self):
        with self.flow() as flow:
            data = '{"n": 12345678901234567890123, "x": 1e400, "y": 0.10}'
            flow.cli("send", "--type", "big.number", "-", text=data)
            saved = flow.cli("events", "save", "1").stdout
            for written in ("12345678901234567890123", "1e400", "0.10"):
                self.assertIn(written, saved)
            (shown,) = flow.lines("events", "show", "1")
            self.assertEqual({"n": "12345678901234567890123", "x": "1e400", "y": 0.1},
                             shown["event"]["data"], "as text, what a tree cannot hold")

    def test_idempotency_key_attempts_and_restarts_repeat_it(self):
        with self.flow() as flow:
            flow.cloud.trouble("sink", status=503)
            flow.receive(event(1))
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
            flow.receive(event(1))
            self.expect(flow, 1)
            first, second = flow.cloud.seen("sink")
            self.assertGreaterEqual(second["at"] - first["at"], 0.95)

    def test_retry_a_bad_delivery_dies_at_once(self):
        with self.flow() as flow:
            flow.cloud.trouble("sink", status=404, code="gone")
            flow.receive(event(1))
            letter = flow.expect_dead()[0]
            self.assertEqual("out", letter["target"])
            self.assertEqual(1, len(flow.cloud.seen("sink")))

    def test_retry_gives_up_when_its_time_is_over(self):
        with Flow(self, RELAY.replace("1m, 50ms..200ms", "500ms, 50ms..100ms")) as flow:
            # Slow, so that the time is over before the breaker opens and stops the clock.
            flow.cloud.trouble("sink", status=503, slow=0.2)
            flow.receive(event(1))
            flow.expect_dead()
            self.assertGreater(len(flow.cloud.seen("sink")), 1)

    def test_retry_a_redriven_dead_letter_arrives_and_leaves_the_list(self):
        with self.flow() as flow:
            number = flow.cloud.trouble("sink", status=404)
            flow.receive(event(1))
            letter = flow.expect_dead()[0]
            flow.cloud.calm(number)
            flow.cli("dlq", "retry", letter["id"])
            self.expect(flow, 1)
            self.assertEqual([], flow.letters())

    def test_a_dropped_dead_letter_is_gone_and_says_why(self):
        with self.flow() as flow:
            flow.cloud.trouble("sink", status=404)
            flow.receive(event(1))
            letter = flow.expect_dead()[0]
            flow.cli("dlq", "drop", letter["id"])
            self.assertEqual([], flow.letters())

    def test_breaker_opens_probes_one_at_a_time_and_everything_arrives_after(self):
        with self.flow() as flow:
            flow.cloud.trouble("sink", status=503)
            flow.receive(*(event(n, subject=f"s{n}") for n in range(20)))
            flow.expect_events("pointsman.breaker.opened")
            flow.cloud.calm()
            flow.until("all", lambda: sorted(self.arrived(flow)) == list(range(20)))
            flow.expect_events("pointsman.breaker.closed")

    def test_order_one_subject_waits_for_its_first_others_pass(self):
        with self.flow() as flow:
            flow.cloud.trouble("sink", contains="\"held\"", status=503)
            flow.receive(event(1, subject="a", mark="held"), event(2, subject="a"),
                      event(3, subject="b"))
            flow.until("a try", lambda: flow.cloud.seen("sink"))
            flow.cloud.calm()
            flow.until("all", lambda: len(self.arrived(flow)) == 3)
            order = self.arrived(flow)
            self.assertLess(order.index(1), order.index(2))

    def test_order_a_dead_one_lets_the_next_pass(self):
        with self.flow() as flow:
            flow.cloud.trouble("sink", contains="\"bad\"", status=400)
            flow.receive(event(1, mark="bad"), event(2))
            self.expect(flow, 2)
            flow.expect_dead()

    def test_one_event_makes_one_delivery_per_target_whichever_rules_ask(self):
        with self.flow(rule("again", "order.placed", "out")) as flow:
            flow.receive(event(1))
            self.expect(flow, 1)

    def test_a_then_b_starts_when_a_is_done_and_not_when_it_dies(self):
        with Flow(self, IN + sink("first") + sink("second")
                  + rule("all", "order.*", "first then second")) as flow:
            flow.cloud.trouble("sink", operation="first", contains="\"bad\"", times=1, status=400)
            flow.receive(event(1, subject="a"), event(2, subject="b", mark="bad"))
            self.expect(flow, 1, name="second")
            letter = flow.expect_dead()[0]
            flow.cli("dlq", "retry", letter["id"])
            self.expect(flow, 1, 2, name="second")
            first = [e["at"] for e in flow.cloud.seen("sink", "first")]
            second = [e["at"] for e in flow.cloud.seen("sink", "second")]
            self.assertLess(first[0], second[0])

    def test_else_is_asked_only_when_no_other_rule_matched(self):
        with self.flow(sink("rest") + rule("otherwise", "*", "rest", "else = yes")) as flow:
            flow.receive(event(1), event(2, kind="invoice.paid"))
            self.expect(flow, 1)
            self.expect(flow, 2, name="rest")

    def test_an_event_has_a_timeline(self):
        with self.flow() as flow:
            flow.cloud.trouble("sink", times=1, status=503)
            flow.receive(event(1))
            self.expect(flow, 1)
            name = flow.events("order.placed")[0]["seq"]
            shown = flow.cli("events", "show", name).stdout
            for word in ("all", "out", "503", "done"):
                self.assertIn(word, shown)

    def test_an_event_nobody_wanted_is_listed_as_unrouted(self):
        with self.flow() as flow:
            flow.receive(event(1, kind="invoice.paid"), event(2))
            self.expect(flow, 2)
            listed = flow.events(None, "--unrouted")
            self.assertEqual(["invoice.paid"], [e["type"] for e in listed])


def windowed(keys):
    body = 'body = {"count": "{{ window.count }}", "who": "{{ subject }}"}'
    return IN + sink(more=body) + rule("windowed", "order.*", "out", keys)


class Windows(unittest.TestCase):
    def test_a_firing_coalesce_makes_one_of_many_and_survives_a_restart(self):
        with Flow(self, windowed("coalesce = 700ms")) as flow:
            flow.receive(*(event(n) for n in range(3)))
            flow.restart()
            flow.until("the firing", lambda: flow.bodies())
            flow.settled()
            self.assertEqual([{"count": "3", "who": "a"}], flow.bodies())

    def test_a_firing_count_fires_at_the_third(self):
        with Flow(self, windowed("count = 3 in 10m")) as flow:
            flow.receive(*(event(n) for n in range(2)))
            flow.settled()
            self.assertEqual([], flow.bodies())
            flow.receive(event(3))
            flow.until("the firing", lambda: flow.bodies())
            self.assertEqual("3", flow.bodies()[0]["count"])

    def test_a_firing_groups_are_kept_apart(self):
        with Flow(self, windowed("count = 2 in 10m\ngroup-by = subject")) as flow:
            flow.receive(event(1, subject="a"), event(2, subject="b"), event(3, subject="b"))
            flow.until("the firing", lambda: flow.bodies())
            flow.settled()
            self.assertEqual([{"count": "2", "who": "b"}], flow.bodies())



BOTH = 'body = {"left": "{{ inputs.left.data.number }}", "right": "{{ inputs.right.data.number }}"}'


def slotted(keys=""):
    return IN + sink(more=BOTH) + f"""
[input left]
on = order.left

[input right]
on = order.right
{keys}

[rule both]
inputs = left, right
do = out
"""


class Slots(unittest.TestCase):
    def left(self, number):
        return event(number, "order.left")

    def right(self, number):
        return event(number, "order.right")

    def expect(self, flow, *pairs):
        flow.until(f"{pairs}", lambda: len(flow.bodies()) >= len(pairs))
        flow.settled()
        self.assertEqual([{"left": str(a), "right": str(b)} for a, b in pairs],
                         flow.bodies())

    def test_slots_fire_when_all_are_filled_and_one_is_new_and_survive_a_restart(self):
        with Flow(self, slotted()) as flow:
            flow.receive(self.left(1))
            flow.settled()
            self.assertEqual([], flow.bodies())
            flow.restart()
            flow.receive(self.right(2))
            self.expect(flow, (1, 2))
            flow.receive(self.left(3))
            self.expect(flow, (1, 2), (3, 2))

    def test_slots_whose_text_changed_are_empty_again(self):
        with Flow(self, slotted()) as flow:
            flow.receive(self.left(1), self.right(2))
            self.expect(flow, (1, 2))
            flow.stop()
            flow.configure(slotted("where = data.number > 0"))
            flow.start()
            flow.receive(self.left(3))
            flow.settled()
            self.assertEqual(1, len(flow.bodies()))
            self.assertIn("right", flow.log())
            flow.receive(self.right(4))
            self.expect(flow, (1, 2), (3, 4))


if __name__ == "__main__":
    unittest.main()
