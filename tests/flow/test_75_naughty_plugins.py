"""Plugins that misbehave: what the host makes of them."""

import contextlib
import resource
import signal
import socket
import time
import unittest

from flow import third_party
from flow.flow import Flow
from flow.parts import IN, event, rule, sink
from flow.router import SANITIZED, SLOW, Ended, sanitizer

EX_SOFTWARE = 70
EX_IOERR = 74

CONFIGURATION = IN + sink() + """
[sink naughty]
plugin = naughty
timeout = 1s
retry = 3s, 100ms..200ms
order-by = none
""" + rule("all", "order.*", "naughty, out")


class Watchdog:
    """systemd, as far as a hanging service sees it."""

    PATIENCE = 1.5 * SLOW

    def __init__(self, path):
        self.path = path

    def __enter__(self):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.socket.bind(str(self.path))
        self.watched = None
        return self

    def __exit__(self, *_):
        self.socket.close()

    def look(self, process):
        if self.watched is not process:
            self.watched, self.fed = process, time.monotonic()
        with contextlib.suppress(BlockingIOError):
            while True:
                if b"WATCHDOG=1" in self.socket.recv(4096):
                    self.fed = time.monotonic()
        if time.monotonic() - self.fed > self.PATIENCE and process.poll() is None:
            process.send_signal(signal.SIGABRT)
            process.wait()


class Naughty(unittest.TestCase):
    def flow(self, flags=""):
        """A sanitizer leaves crashes to the program, whose last words are looked for."""
        flow = Flow(self, CONFIGURATION, start=False, environment=sanitizer("handle_segv=0"))
        folder = third_party.build(flow.directory / "plugins", "naughty",
                                   f"-DNAUGHTY_FLAGS={flags}")
        flow.configure(CONFIGURATION, {"plugins": folder})
        return flow

    def states(self, flow, name):
        seq = next(e["seq"] for e in flow.events() if e["id"] == name)
        shown = flow.lines("events", "show", str(seq))[0]
        return {d["target"]: d["state"] for d in shown["deliveries"]}

    def survive(self, flow, mood, *expected, killer=None):
        """The event ends the process each time it is delivered, with one of the statuses that
        are expected; it is started again, as systemd would, until it stays.  `killer` is what
        ends a process that does not end by itself."""
        flow.start()
        flow.patience = SLOW
        with contextlib.suppress(OSError):  # it may die before it answers
            flow.receive(event(1, mood=mood))
        statuses = []
        while len(statuses) < 4:
            try:
                flow.until("death or an end", lambda: (
                    killer and killer(), flow.fail_if_ended(), self.has_letter(flow))[-1])
                break
            except Ended:
                statuses.append(flow.process.returncode)
                flow.spawn()
        self.assertEqual(3, len(statuses), statuses)
        self.assertLessEqual(set(statuses), set(expected))
        flow.patience = 30
        flow.until("readiness", flow.is_ready)
        flow.receive(event(2))
        flow.settled()
        self.assertEqual("done", self.states(flow, "e2")["naughty"])
        self.assertEqual({"naughty": "dead", "out": "done"}, self.states(flow, "e1"))
        self.assertIn("the process died 3 times", flow.letters()[0]["why"])

    @staticmethod
    def has_letter(flow):
        """Asked so that a process that hangs, or died, is no trouble: a verb would wait for the
        one, and take the place of the other."""
        with contextlib.suppress(OSError):
            return 'deliveries_dead_total{target="naughty"} 1' in flow.get("/metrics")[1]

    def test_a_plugin_that_kills_the_process_makes_a_dead_letter_at_the_third_death(self):
        with self.flow() as flow:
            self.survive(flow, "segfault", -signal.SIGSEGV)
            self.assertEqual(3, flow.log().count(
                "killed by SIGSEGV in deliver() of plugin naughty, section naughty"))

    def test_a_plugin_that_ends_the_process_on_purpose_has_killed_it(self):
        with self.flow() as flow:
            self.survive(flow, "exit", EX_SOFTWARE)
            self.assertIn("exit() was called, which no plugin may, in deliver() of plugin naughty",
                          flow.log())

    def test_a_plugin_that_closes_what_is_not_its_own_has_killed_the_process(self):
        """With an error, whoever notices first: the loop, or the journal that cannot write."""
        with self.flow() as flow:
            self.survive(flow, "close", EX_SOFTWARE, EX_IOERR)

    def test_a_plugin_that_takes_all_memory_ends_the_process_and_not_the_machine(self):
        if SANITIZED:
            self.skipTest("a sanitizer reserves more memory than may be limited")
        with self.flow() as flow:
            flow.limits = {resource.RLIMIT_AS: 1 << 30}
            self.survive(flow, "leak", EX_SOFTWARE)
            self.assertIn("out of memory; stopping", flow.log())

    def test_a_plugin_that_hangs_is_found_by_the_watchdog(self):
        """The test is systemd: it aborts what does not feed the watchdog."""
        with self.flow() as flow, Watchdog(flow.directory / "notify") as watchdog:
            flow.environment.update(NOTIFY_SOCKET=str(watchdog.path), WATCHDOG_USEC="400000")
            self.survive(flow, "hang", -signal.SIGABRT,
                         killer=lambda: watchdog.look(flow.process))
            self.assertEqual(3, flow.log().count(
                "killed by SIGABRT in deliver() of plugin naughty, section naughty"))

    def test_a_plugin_that_dies_before_it_is_ready_is_named(self):
        for call in ("create", "start"):
            with self.subTest(call), self.flow() as flow:
                flow.configure(CONFIGURATION.replace("plugin = naughty",
                                                     f"plugin = naughty\ndies-in = {call}"),
                               {"plugins": flow.directory / "plugins"})
                with self.assertRaises(Ended):
                    flow.start()
                self.assertEqual(-signal.SIGSEGV, flow.process.returncode)
                flow.process = None
                self.assertIn(f"killed by SIGSEGV in {call}() of plugin naughty, section naughty",
                              flow.log())

    def test_timeouts_a_forgotten_delivery_is_retried_then_dead_and_holds_up_nobody(self):
        with self.flow() as flow:
            flow.start()
            flow.receive(event(1, mood="forget"))
            flow.receive(event(2))
            flow.expect_dead()
            flow.settled()
            self.assertEqual("done", self.states(flow, "e2")["naughty"])

    def test_a_finish_that_comes_too_late_is_ignored(self):
        with self.flow() as flow:
            flow.start()
            flow.receive(event(1, mood="late"))
            flow.until("the late finish", lambda: "naughty: finish() on a delivery that has ended"
                       in flow.log())
            flow.settled()
            self.assertEqual("done", self.states(flow, "e1")["naughty"])
            self.assertRegex(flow.get("/metrics")[1],
                             r'instance="naughty",what="late_finish"\} 1')

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
            self.assertNotIn('deliveries_done_total{target="naughty"} 4', flow.get("/metrics")[1])
            flow.settled()
            self.assertEqual("done", self.states(flow, "e3")["naughty"])


if __name__ == "__main__":
    unittest.main()
