"""Bad days of the wall clock: it jumps while deliveries wait and windows are open."""

import unittest

from flow.blunt import Blunt
from flow.flow import Flow
from flow.outside import DAY, HOUR, Outside
from flow.parts import IN, event, rule, sink

WINDOWS = IN + sink() + sink("gathered") + rule(
    "gather", "order.gathered", "gathered", "coalesce = 1s") + rule("all", "order.placed", "out")

DOWN = IN + """
[sink out]
plugin = http
url = http://127.0.0.1:PORT/
retry = 1h, 200ms..1s
""" + rule("all", "order.*", "out")


class Clock(unittest.TestCase):
    def flow(self, configuration):
        flow = Flow(self, configuration, start=False)
        outside = Outside(flow.directory)
        flow.environment.update(outside.environment())
        return flow, outside

    def times(self, flow):
        return [e["at"] for e in flow.events()]

    def jump(self, flow, outside, seconds):
        """The clock is another, and the program has seen it."""
        word = "forward" if seconds > outside.ahead else "back"
        seen = flow.log().count(f"the wall clock was set {word}")
        outside.set_ahead(seconds)
        flow.until("it to be seen", lambda: flow.log().count(
            f"the wall clock was set {word}") > seen)

    def test_windows_close_and_time_of_acceptance_never_goes_back(self):
        """A window of a second takes two at most, but for the ten in which nobody looks at the
        clock."""
        flow, outside = self.flow(WINDOWS)
        with flow:
            flow.start()
            for number, ahead in enumerate((DAY, -HOUR), 1):
                flow.receive(event(number, "order.gathered"))
                outside.set_ahead(ahead)
                flow.until("the window", lambda: len(flow.bodies("gathered")) == number)
                flow.receive(event(100 + number))
                flow.until("the event", lambda: len(flow.bodies()) == number)
            times = self.times(flow)
            self.assertEqual(sorted(times), times)
            self.assertEqual([], flow.letters())

    def test_windows_close_over_a_restart_with_the_clock_set_back(self):
        flow, outside = self.flow(WINDOWS)
        with flow:
            outside.set_ahead(DAY)
            flow.start()
            flow.receive(event(1, "order.gathered"))
            flow.kill()
            outside.set_ahead(-HOUR)
            flow.start()
            flow.until("the window", lambda: flow.bodies("gathered"))
            times = self.times(flow)
            self.assertEqual(sorted(times), times)

    def test_retries_keep_their_intervals_and_no_budget_is_used_up(self):
        """Two hours forward are more than `retry` allows; they were not waited."""
        flow, outside = self.flow("")
        down = True

        def behave(peer, event, attempt):
            return False if down else peer.accept()

        with Blunt(behave) as server:
            flow.configure(DOWN.replace("PORT", str(server.port)))
            with flow:
                flow.start()
                flow.receive(event(1))
                self.tried(flow, server, 2)
                for ahead in (2 * HOUR, -DAY):
                    self.jump(flow, outside, ahead)
                    self.tried(flow, server, 1)
                    flow.restart()
                    self.tried(flow, server, 2)
                    self.assertEqual([], flow.letters())
                down = False
                flow.settled()
                self.assertEqual([], flow.letters())

    def tried(self, flow, server, times):
        before = server.attempts.get("e1", 0)
        flow.until(f"{times} attempts", lambda: server.attempts.get("e1", 0) >= before + times)


if __name__ == "__main__":
    unittest.main()
