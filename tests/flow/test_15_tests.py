"""`pointsman test`: rules proven by given events, on a clock that does not wait."""

import json
import unittest

from flow.flow import Flow
from flow.router import ROOT
from flow.site import QUICK

RULES = """
[source hook]
plugin = http-in

[sink out]
plugin = file
path   = /nowhere/out
line   = {"n": {{ data.n }}, "of": "{{ type }}"}
retry  = 1h, 1s..1m

[sink after]
plugin = file
path   = /nowhere/after
line   = {"type": "{{ type }}"}

[sink alarm]
plugin = file
path   = /nowhere/alarm
line   = {"reason": "{{ data.reason }}"}

[rule plain]
on = demo.plain
where = data.n > 0
do = out

[rule window]
on       = demo.window
coalesce = 30s, max 5m
do       = after

[rule three]
on    = demo.count
count = 3 in 10m
do    = out then after

[rule dead]
on = pointsman.delivery.dead
do = alarm
"""


def event(number, kind="demo.plain", **attributes):
    return {"specversion": "1.0", "id": f"{kind}-{number}", "source": "hook", "type": kind,
            "instance": "hook", "data": {"n": number}, **attributes}


FILES = {
    "conf/one.json": json.dumps(event(1), indent=2),
    "conf/none.json": json.dumps(event(0)),
    "conf/hole.json": json.dumps(event(9, "demo.count", data={})),
    "conf/many.jsonl": "".join(json.dumps(event(n)) + "\n" for n in range(1, 7)),
    "conf/three.json": json.dumps([event(n, "demo.count") for n in range(3)]),
    **{f"conf/window-{n}.json": json.dumps(event(n, "demo.window")) for n in (1, 2, 3)},
    **{f"conf/count-{n}.json": json.dumps(event(n, "demo.count")) for n in (1, 2, 3)},
}


class Tests(unittest.TestCase):
    def run_tests(self, sections, *words, **how):
        """(exit status, standard output, standard error)"""
        with Flow(self, RULES + sections, files=FILES, start=False, **how) as flow:
            done = flow.cli("test", *words, check=False)
            self.assertFalse((flow.directory / "state").exists(), "a test made a state directory")
            self.assertEqual([], flow.cloud.seen(), "a test contacted somebody")
            return done.returncode, done.stdout, done.stderr

    def passes(self, section):
        status, text, complaint = self.run_tests(f"[test t]\n{section}")
        self.assertEqual((0, ""), (status, complaint), text)
        self.assertEqual("ok      t\n1 test: ok\n", text)

    def fails(self, section, *said):
        status, text, complaint = self.run_tests(f"[test t]\n{section}")
        self.assertEqual((1, ""), (status, complaint), text)
        self.assertRegex(text, r"\AFAILED  t  \S+50-test\.ini:\d+\n")
        self.assertIn("1 test, 1 failed", text)
        for each in said:
            self.assertIn(each, text)

    def mistaken(self, section, status, *said):
        code, text, complaint = self.run_tests(f"[test t]\n{section}")
        self.assertEqual((status, ""), (code, text), complaint)
        for each in said:
            self.assertRegex(complaint, each)

    def test_the_shipped_tests_pass(self):
        for environment in ({}, QUICK):
            with Flow(self, paths=[ROOT / "conf.d"], environment=environment, start=False) as flow:
                done = flow.cli("test")
                self.assertRegex(done.stdout, r"(?m)^6 tests: ok$")
                self.assertEqual([], flow.cloud.seen())

    def test_what_was_expected_came_and_nothing_else(self):
        self.passes("given = one.json\nexpect = plain -> out\n")
        self.passes("given = none.json\nexpect = none\n")
        self.passes("given = many.jsonl\nexpect = plain -> out x6\n")

    def test_what_is_missing_is_explained(self):
        self.fails("given = none.json\nexpect = plain -> out\n",
                   "missing: plain -> out x1",
                   "rule plain, event 1 (demo.plain demo.plain-0): where data.n > 0: not so")
        self.fails("given = one.json\nexpect = plain -> out, window -> after\n",
                   "missing: window -> after x1",
                   "rule window: no event came that fits its `on`")

    def test_what_is_too_much_is_named(self):
        self.fails("given = one.json\nexpect = none\n",
                   "not expected: plain -> out x1, first for event 1 (demo.plain demo.plain-1)")
        self.fails("given = many.jsonl\nexpect = plain -> out x5\n",
                   "plain -> out: expected x5, came x6")

    def test_a_repeat_is_dropped_and_said(self):
        self.fails("given = one.json, one.json\nexpect = plain -> out x2\n",
                   "plain -> out: expected x2, came x1", "one.json:1: its id came before")

    def test_time_passes_only_where_it_is_said(self):
        self.passes("given = window-1.json, +29s, window-2.json, +29s, window-3.json\n"
                    "expect = window -> after\n")
        self.passes("given = window-1.json, +29s, window-2.json, +30s, window-3.json\n"
                    "expect = window -> after x2\n")
        self.passes("given = count-1.json, count-2.json, count-3.json\n"
                    "expect = three -> out, three -> after\n")
        self.passes("given = count-1.json, +6m, count-2.json, +6m, count-3.json\nexpect = none\n")

    def test_a_target_that_is_down_is_tried_again(self):
        self.passes("given = one.json\nanswer = out: down x3, out: again\nexpect = plain -> out\n")

    def test_what_is_given_up_is_a_dead_letter_that_rules_hear_of(self):
        self.passes("given = one.json\nanswer = out: reject\n"
                    "expect = plain -> out dead, dead -> alarm\n")
        self.passes("given = one.json\nanswer = out: again x1000\n"
                    "expect = plain -> out dead, dead -> alarm\n")
        self.fails("given = one.json\nanswer = out: again\nexpect = plain -> out dead\n",
                   "plain -> out: expected x1 to end dead, came x0")

    def test_then_does_not_follow_a_dead_letter(self):
        self.fails("given = three.json\nanswer = out: reject\n"
                   "expect = three -> out dead, three -> after, dead -> alarm\n",
                   "missing: three -> after x1", "after follows out, whose delivery is dead")

    def test_a_text_that_cannot_be_filled_in_fails_the_test(self):
        self.fails("given = count-1.json, count-2.json, hole.json\nexpect = three -> out\n",
                   "three -> out: a dead letter: line: data.n is absent",
                   "not expected: dead -> alarm")
        self.passes("given = count-1.json, count-2.json, hole.json\n"
                    "expect = three -> out dead, dead -> alarm\n")

    def test_keys_are_filled_in_and_json_is_compared_as_json(self):
        self.passes("given = one.json\nexpect = plain -> out\n"
                    'expect.line = {"of":"demo.plain",  "n": 1.0}\n')
        self.passes("given = one.json\nanswer = out: reject\nexpect = plain -> out, dead -> alarm\n"
                    'expect.out.path = /nowhere/out\n'
                    'expect.alarm.line = {"reason": "the test lets the target reject it"}\n')
        self.fails('given = one.json\nexpect = plain -> out\nexpect.line = {"n": 2}\n',
                   'out.line: expected `{"n": 2}`, became `{"n": 1, "of": "demo.plain"}`')

    def test_some_may_be_chosen_by_name(self):
        sections = ("[test good]\ngiven = one.json\nexpect = plain -> out\n"
                    "[test bad]\ngiven = one.json\nexpect = none\n")
        self.assertEqual(0, self.run_tests(sections, "good")[0])
        self.assertEqual(1, self.run_tests(sections, "bad")[0])
        status, text, _ = self.run_tests(sections)
        self.assertEqual(1, status)
        self.assertIn("2 tests, 1 failed", text)
        status, _, complaint = self.run_tests(sections, "godo")
        self.assertEqual(64, status)
        self.assertIn("there is no [test godo]; did you mean `good`?", complaint)

    def test_no_tests_is_no_failure(self):
        status, text, _ = self.run_tests("")
        self.assertEqual(0, status)
        self.assertIn("there are no tests", text)

    def test_json_says_the_same(self):
        status, text, _ = self.run_tests(
            "[test good]\ngiven = one.json\nanswer = out: down\nexpect = plain -> out\n"
            "[test bad]\ngiven = one.json\nexpect = window -> after\n", "--json")
        good, bad = map(json.loads, text.splitlines())
        self.assertEqual(1, status)
        self.assertEqual(("good", True, [], []),
                         (good["test"], good["ok"], good["problems"], good["reasons"]))
        self.assertRegex(good["place"], r"50-test\.ini:\d+$")
        self.assertEqual([{"rule": "plain", "target": "out", "attempts": 2, "state": "done",
                           "event": {"seq": 1, "type": "demo.plain", "id": "demo.plain-1"},
                           "why": None, "keys": {"line": '{"n": 1, "of": "demo.plain"}'}}],
                         good["deliveries"])
        self.assertEqual(("bad", False), (bad["test"], bad["ok"]))
        self.assertEqual(2, len(bad["problems"]))
        self.assertEqual(1, len(bad["reasons"]))

    def test_mistakes_are_found_before_anything_runs(self):
        self.mistaken("given = one.json\nexpect = plan -> out\n", 78,
                      r"50-test\.ini:\d+:10: expect: no rule `plan`; did you mean `plain`\?")
        self.mistaken("given = one.json\nexpect = plain -> outt\n", 78,
                      r"does not deliver to `outt`; did you mean `out`\?")
        self.mistaken("given = one.json\nexpect = none\nanswer = alrm: down\n", 78,
                      r"no action or sink `alrm`; did you mean `alarm`\?")
        self.mistaken("given = one.json\nexpect = plain -> out\nexpect.lien = x\n", 78,
                      r"out has no key `lien`; did you mean `line`\?")
        self.mistaken("given = nowhere.json\nexpect = none\n", 66,
                      r"50-test\.ini:\d+:9: given: \S+nowhere\.json: No such file")

    def test_an_event_must_be_one_and_come_from_somebody(self):
        with Flow(self, RULES + "[test t]\ngiven = bad.jsonl\nexpect = none\n", start=False,
                  files={"conf/bad.jsonl": "\n".join(map(json.dumps, [
                      event(1), event(2, "Demo Plain"), event(3, instance="hok"),
                      event(4, instance="out"), event(5, time="yesterday")]))}) as flow:
            for verb in ("check", "test"):
                done = flow.cli(verb, check=False)
                self.assertEqual(78, done.returncode)
                for said in (r'bad\.jsonl:2:1: type "Demo Plain"',
                             r"bad\.jsonl:3:1: .*`hok`; did you mean `hook`\?",
                             r"bad\.jsonl:4:1: instance: `out` is a \[sink\]",
                             r'bad\.jsonl:5:1: time "yesterday"'):
                    self.assertRegex(done.stderr, said)


if __name__ == "__main__":
    unittest.main()
