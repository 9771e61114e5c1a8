"""A source that emits without measure: what is unfit is kept as dead letters, within bounds."""

import re
import unittest

from flow import third_party
from flow.flow import CLOUDEVENT, Flow
from flow.parts import IN, event, rule, sink
from flow.router import SANITIZED

FLOOD = IN + sink() + """
[source flood]
plugin = flood
""" + rule("all", "order.*", "out", "from = in")
SMALL = {"keep": "7d, max 4M", "keep-dead": "90d, max 10", "max-journal": "100M"}


class Flooding(unittest.TestCase):
    def flow(self, more, settings=None):
        flow = Flow(self, start=False)
        folder = third_party.build(flow.directory / "plugins", "flood")
        flow.configure(FLOOD.replace("plugin = flood", f"plugin = flood\n{more}"),
                       {"plugins": folder, **(settings or {})})
        return flow

    def metric(self, flow, name):
        lines = flow.get("/metrics")[1].splitlines()
        return int(next(l.split()[1] for l in lines if l.split()[0] == f"pointsman_{name}"))

    def test_each_sort_of_unfit_event_is_a_dead_letter_with_its_reason(self):
        with self.flow("sort = all\nevents = 7") as flow:
            flow.start()
            whys = [letter["why"] for letter in flow.expect_dead(6)]
            for words in ("UTF-8", "more than 1048576", "deep", "text after the value", "order.unheard-of",
                          "yesterday"):
                self.assertTrue([w for w in whys if re.search(words, w)], (words, whys))
            self.assertEqual(7, len(flow.events(None, "--instance", "flood")))

    def test_a_flood_of_unfit_events_stays_within_its_bounds_and_others_get_through(self):
        """Five hundred events of a quarter of a megabyte each, as they are kept: more than the
        journal may have."""
        with self.flow("sort = large\nevents = 500", SMALL) as flow:
            flow.start()
            flow.until("the end of the flood",
                       lambda: self.metric(flow, "events_refused_total") == 500, 90)
            flow.until("room for others", lambda: flow.post("/in", event(1), CLOUDEVENT) == 202,
                       60)
            flow.until("the delivery", lambda: len(flow.bodies()) == 1)
            flow.until("dead letters within keep-dead", lambda: len(flow.letters()) <= 10,
                       60)
            flow.until("the journal within max-journal",
                       lambda: self.metric(flow, "journal_bytes") <= 100 << 20, 60)
            self.assertLess(peak_memory(flow), 150 << 20)

    def test_a_flood_of_good_events_in_one_call_is_stopped_before_it_takes_all_memory(self):
        with self.flow("sort = good\nevents = 100000000\nat-once = yes") as flow:
            flow.start(ready=False)
            flow.until("some waves", lambda: self.metric(flow, "events_accepted_total") > 30000,
                       60)
            self.assertLess(peak_memory(flow), 250 << 20)
            flow.stop()


def peak_memory(flow):
    """The most the program had resident, in bytes; a sanitizer's own is not counted."""
    if SANITIZED:
        return 0
    with open(f"/proc/{flow.process.pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) << 10 for line in file if line.startswith("VmHWM"))


if __name__ == "__main__":
    unittest.main()
