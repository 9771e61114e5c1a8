"""Plugins that misbehave: what the host makes of them."""

import contextlib
import pathlib
import shutil
import subprocess
import unittest

from flow.flow import Flow
from flow.parts import IN, event, rule, sink
from flow.router import PLUGINS, ROOT, Ended

CONFIGURATION = IN + sink() + """
[sink naughty]
plugin = naughty
timeout = 1s
retry = 3s, 100ms..200ms
order-by = none
""" + rule("all", "order.*", "naughty, out")


class Naughty(unittest.TestCase):
    def flow(self, flags="", **how):
        flow = Flow(self, CONFIGURATION, start=False, **how)
        folder = flow.directory / "plugins"
        folder.mkdir()
        for name in ("http-in.so", "http.so"):
            shutil.copy(pathlib.Path(PLUGINS) / name, folder)
        subprocess.run(["gcc", "-std=gnu11", "-fPIC", "-shared", f"-I{ROOT}/include",
                        f"-DNAUGHTY_FLAGS={flags}", str(ROOT / "tests/third-party/naughty.c"),
                        "-o", str(folder / "naughty.so")], check=True)
        flow.configure(CONFIGURATION, {"plugins": folder})
        return flow

    def states(self, flow, name):
        seq = next(e["seq"] for e in flow.events() if e["id"] == name)
        shown = flow.lines("events", "show", str(seq))[0]
        return {d["target"]: d["state"] for d in shown["deliveries"]}

    def test_a_plugin_that_kills_the_process_makes_a_dead_letter_at_the_third_death(self):
        with self.flow() as flow:
            flow.start()
            with contextlib.suppress(ConnectionError):  # it may die before it answers
                flow.receive(event(1, mood="kill"))
            deaths = 0
            while True:
                try:
                    flow.until("death or an end", lambda: flow.fail_if_ended() or flow.letters())
                    break
                except Ended:
                    deaths += 1
                    self.assertLessEqual(deaths, 3)
                    flow.process = None
                    with contextlib.suppress(Ended):
                        flow.start()
            self.assertEqual(3, deaths)
            flow.receive(event(2))
            flow.settled()
            self.assertEqual("done", self.states(flow, "e2")["naughty"])
            self.assertEqual({"naughty": "dead", "out": "done"}, self.states(flow, "e1"))

    def test_timeouts_a_forgotten_delivery_is_retried_then_dead_and_holds_up_nobody(self):
        with self.flow() as flow:
            flow.start()
            flow.receive(event(1, mood="forget"))
            flow.receive(event(2))
            flow.expect_dead()
            flow.settled()
            self.assertEqual("done", self.states(flow, "e2")["naughty"])

    def test_a_second_finish_changes_nothing_and_is_logged(self):
        with self.flow() as flow:
            flow.start()
            flow.receive(event(1, mood="twice"))
            flow.settled()
            self.assertEqual("done", self.states(flow, "e1")["naughty"])
            self.assertIn("naughty", flow.log())

    def test_a_call_that_holds_the_loop_is_named_in_a_warning(self):
        with self.flow() as flow:
            flow.start()
            flow.receive(event(1, mood="block"))
            flow.settled()
            self.assertRegex(flow.log(), r"naughty.*deliver|deliver.*naughty")

    def test_a_blocking_plugin_has_a_thread_of_its_own(self):
        with self.flow("| PM_BLOCKING") as flow:
            flow.start()
            flow.receive(*(event(n, subject=f"s{n}", mood="block") for n in range(4)))
            flow.until("the others", lambda: len(flow.cloud.seen("sink", "out")) == 4)
            self.assertNotEqual("done", self.states(flow, "e3")["naughty"])
            flow.settled()
            self.assertEqual("done", self.states(flow, "e3")["naughty"])


if __name__ == "__main__":
    unittest.main()
