"""What history is good for: rules in the shadow, replay, fixtures."""

import json
import pathlib
import unittest

from flow.flow import CLOUDEVENT, Flow
from flow.parts import IN, event, rule, sink

TARGETS = IN + sink("a") + sink("b") + sink("c") + sink("log")

# One rule of each kind, so that a replay has to do all that routing does.
BUSY = TARGETS + """
[rule large]
on = order.*
where = data.number >= 5 and data.label != "x"
do = a, b

[rule also]
on = order.placed
do = b, c

[rule phase]
on = item.modified
changed = data.new.phase
do = a then c

[rule quiet]
on = ping
group-by = data.group
coalesce = 200ms, max 2s
do = b

[rule three]
on = ping
count = 3 in 10m
do = c

[input left]
on = left
where = data.number > 0

[input right]
on = right

[rule both]
inputs = left, right
do = a

[input other]
on = left

[rule both-quiet]
inputs = other, right
coalesce = 150ms
do = b

[rule of-firings]
on = pointsman.rule.fired
where = source == "three"
do = log

[rule rest]
on = *
else = yes
do = log

[rule tried]
on = order.*
shadow = yes
do = log
"""


def busy_events():
    """A hundred events of all kinds."""
    numbers = iter(range(1, 1000))
    for round_ in range(10):
        yield event(next(numbers), "order.placed", label="y")
        yield event(next(numbers), "order.paid", label="x" if round_ % 3 else "y")
        yield event(next(numbers), "item.modified", new={"phase": round_ % 2},
                    old={"phase": 0})
        yield event(next(numbers), "ping", group=f"g{round_ % 3}")
        yield event(next(numbers), "ping", group="g0")
        yield event(next(numbers), "left")
        yield event(next(numbers), "right")
        yield event(next(numbers), "right")
        yield event(next(numbers), "nobody.asks")
        yield event(next(numbers), "order.paid", size=1.00)


class Busy(Flow):
    """A router that has lived through the above."""

    def __enter__(self):
        super().__enter__()
        self.receive(*busy_events())
        self.until("the windows to close", lambda: self.closed())
        self.settled()
        return self

    def closed(self):
        fired = {e["source"] for e in self.events("pointsman.rule.fired")}
        open_ = [e for e in self.events() if e["gathered"]]
        return {"quiet", "three", "both", "both-quiet"} <= fired and open_ and self.all_told()

    def all_told(self):
        """Each ping is in a window that closed."""
        told = {m["id"] for e in self.events("pointsman.rule.fired") if e["source"] == "quiet"
                for m in self.lines("events", "show", e["seq"])[0]["event"]["data"]["window"]["events"]}
        return told == {e["id"] for e in self.events("ping")}

    def replay(self, *words):
        done = self.cli("replay", "--since", "0", *words, "--json", check=False)
        self.test.assertIn(done.returncode, (0, 1), done.stderr)
        return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]

    def edited(self, old, new):
        """The configuration with this instead of that."""
        self.test.assertIn(old, BUSY)
        base = (self.directory / "conf/00-pointsman.ini").read_text()
        return self.write("other/new.ini", base + BUSY.replace(old, new))


class Against(unittest.TestCase):
    def busy(self):
        return Busy(self, BUSY)

    def test_the_same_configuration_changes_nothing_and_comes_to_the_same_verdicts(self):
        with self.busy() as flow:
            status, lines = flow.replay("--against", flow.directory / "conf", "--verdicts")
            self.assertEqual((0, 1), (status, len(lines)), lines)
            self.assertEqual((0, 0), (lines[0]["changed"], lines[0]["firings"]))
            self.assertEqual(len(flow.events()), lines[0]["events"])
            self.assertGreater(lines[0]["events"], 110)
            flow.stop()
            self.assertEqual((0, lines), flow.replay("--against", flow.directory / "conf",
                                                     "--verdicts"))
            flow.start()

    def test_the_middle_of_history_begins_with_what_the_snapshot_says(self):
        with self.busy() as flow:
            for since in (2, 37, 60):
                status, lines = flow.replay("--since", since, "--until", since + 40, "--against",
                                            flow.directory / "conf", "--verdicts")
                self.assertEqual((0, 1), (status, len(lines)), lines)
                self.assertEqual(41, lines[0]["events"])

    def test_another_condition_says_which_targets_come_and_go_and_where_it_stands(self):
        with self.busy() as flow:
            new = flow.edited('data.number >= 5 and data.label != "x"', 'data.label == "x"')
            status, lines = flow.replay("--against", new)
            *lines, summary = lines
            self.assertEqual(1, status)
            where = self.line_of(new, 'data.label == "x"')
            head = self.line_of(new, "[rule large]")
            expected = {}
            for e in busy_events():
                label, number = e["data"].get("label"), e["data"]["number"]
                if not e["type"].startswith("order.") or not label:
                    continue
                was, now = number >= 5 and label != "x", label == "x"
                expected[e["id"]] = (was, now) if was != now else None
            seqs = {e["seq"]: e for e in flow.events()}
            seen = {seqs[line["seq"]]["id"]: line for line in lines}
            self.assertEqual({i for i, change in expected.items() if change}, set(seen))
            self.assertEqual(len(seen), summary["changed"])
            for i, line in seen.items():
                was, now = expected[i]
                if now:
                    self.assertEqual([("a", "large", f"{new}:{head}")],
                                     [(t["target"], t["rule"], t["place"])
                                      for t in line["gained"] if t["target"] == "a"])
                else:
                    lost = next(t for t in line["lost"] if t["target"] == "a")
                    self.assertEqual(f"{new}:{where}", lost["place"])
                    self.assertIn("where", lost["why"])

    def line_of(self, path, part):
        return next(n for n, line in enumerate(path.read_text().splitlines(), 1) if part in line)

    def test_a_rule_that_is_gone_or_new_or_a_shadow_shows_with_its_targets(self):
        with self.busy() as flow:
            _, lines = flow.replay("--against", flow.edited("[rule of-firings]", "[rule renamed]"))
            self.assertEqual([0, 0], [lines[-1]["changed"], lines[-1]["firings"]])
            new = flow.edited("changed = data.new.phase", "changed = data.new.phase\nshadow = yes")
            status, lines = flow.replay("--against", new)
            self.assertEqual(1, status)
            self.assertEqual({"item.modified"}, {line["type"] for line in lines[:-1]})
            for line in lines[:-1]:
                # A shadow matches for itself alone: `else` is asked.
                self.assertEqual(["log"], [t["target"] for t in line["gained"]])
                self.assertEqual({"a": "it is a shadow", "c": "it is a shadow"},
                                 {t["target"]: t["why"] for t in line["lost"]})

    def test_a_rule_that_gathers_is_unknown_until_it_is_known_what_it_holds(self):
        with self.busy() as flow:
            flow.stop()
            flow.configure(BUSY + rule("further", "further", "a"))
            flow.start()
            first = flow.events()[-1]["seq"] + 1
            flow.receive(*(event(n, kind) for n, kind in enumerate(
                ["ping", "left", "order.placed", "ping", "right", "ping", "ping"], 1000)))
            flow.until("the windows to close", lambda: flow.all_told())
            status, lines = flow.replay("--since", first, "--against", flow.directory / "conf")
            self.assertEqual((0, 1), (status, len(lines)), lines)
            new = flow.edited("count = 3 in 10m", "count = 2 in 10m")
            status, lines = flow.replay("--since", first, "--against", new)
            *unknown, summary = lines
            self.assertEqual([("three", True)], [(u["unknown"], u["until"] > flow.events()[-1]["at"])
                                                 for u in unknown], lines)
            self.assertEqual((0, 0), (status, summary["changed"]))

    def test_a_count_from_the_beginning_fires_otherwise(self):
        with self.busy() as flow:
            status, lines = flow.replay("--against", flow.edited("3 in 10m", "2 in 10m"))
            pings = len(flow.events("ping"))
            summary = lines[-1]
            self.assertEqual(1, status)
            self.assertEqual([], [line for line in lines if "unknown" in line])
            firings = [line for line in lines if line.get("firing")]
            new = [line for line in firings if line["firing"] == "new"]
            lost = [line for line in firings if line["firing"] == "lost"]
            other = [line for line in firings if line["firing"] == "other events"]
            self.assertEqual(pings // 3 + len(new) - len(lost), pings // 2)
            self.assertTrue(other)
            self.assertEqual(len(new), summary["firings"])
            for line in new:
                self.assertEqual({"c", "log"} if line["source"] == "three" else set(),
                                 {t["target"] for t in line["gained"]})

    def test_people_read_lines(self):
        with self.busy() as flow:
            new = flow.edited("do = b, c", "do = b")
            done = flow.cli("replay", "--since", "1h", "--against", new, check=False)
            self.assertEqual(1, done.returncode)
            line = self.line_of(new, "do = b")
            self.assertRegex(done.stdout, r"(?m)^event 1  \S+  order\.placed  a$")
            self.assertRegex(done.stdout, r"- c +rule also  .*new\.ini:\d+  its `do`")
            self.assertRegex(done.stdout, r"10 of \d+ events change\n$")

    def test_mistakes_are_told(self):
        with Flow(self, BUSY) as flow:
            def status(*words):
                return flow.cli("replay", *words, check=False).returncode
            self.assertEqual(64, status())
            self.assertEqual(64, status("--since", "1h"))
            self.assertEqual(64, status("--since", "yesterday", "--against", flow.directory / "conf"))
            bad = flow.write("bad.ini", "[rule x]\non = a\nwhere = data.n ==\ndo = a\n")
            self.assertEqual(78, status("--since", "1h", "--against", bad))
            self.assertEqual(78, status("--since", "1h", "--against", "nowhere.ini"))


class Shadow(unittest.TestCase):
    def test_a_shadow_is_matched_counted_and_shown_and_never_delivered(self):
        with Flow(self, TARGETS + rule("tried", "order.*", "a, b", "shadow = yes") +
                  rule("rest", "*", "log", "else = yes") +
                  rule("gathers", "ping", "c", "shadow = yes\ncount = 2 in 1h")) as flow:
            flow.receive(event(1), event(2, "ping"), event(3, "ping"))
            flow.settled()
            order, *pings, fired = flow.events()
            shown = flow.lines("events", "show", order["seq"])[0]
            self.assertEqual({"rule": "tried", "matched": True, "shadow": ["a", "b"]},
                             shown["decided"][0])
            self.assertEqual(["log"], [d["target"] for d in shown["deliveries"]])
            self.assertTrue(order["shadow"])
            self.assertFalse(any(p["gathered"] for p in pings))
            shown = flow.lines("events", "show", fired["seq"])[0]
            self.assertEqual((["c"], []), (shown["decided"][0]["shadow"], shown["deliveries"]))
            self.assertEqual([fired["seq"]],
                             [e["seq"] for e in flow.events(None, "--unrouted")])
            self.assertIn("would have been delivered to: a, b",
                          flow.cli("events", "show", order["seq"]).stdout)
            counts = {line["rule"]: line for line in flow.lines("status") if "rule" in line}
            self.assertEqual((1, True), (counts["tried"]["matched"], counts["tried"]["shadow"]))
            self.assertEqual(2, counts["gathers"]["matched"])
            for name in "abc":
                self.assertEqual([], flow.bodies(name))


class To(unittest.TestCase):
    def keys(self, flow, name):
        return [v for e in flow.cloud.seen("sink", name) for n, v in e["headers"]
                if n.lower() == "idempotency-key"]

    def test_events_are_delivered_again_with_new_keys_and_marked(self):
        with Flow(self, TARGETS + rule("all", "order.*", "a, b")) as flow:
            flow.receive(*(event(n) for n in range(1, 250)), event(900, "ping"))
            flow.until("all", lambda: len(flow.bodies("a")) == 249)
            flow.settled()
            done = flow.cli("replay", "--since", 100, "--until", 240, "--to", "a", "--dry-run")
            self.assertIn("141 events would be delivered again to a", done.stdout)
            self.assertEqual(142, len(done.stdout.splitlines()))
            self.assertEqual(249, len(flow.bodies("a")))
            done = flow.cli("replay", "--since", 100, "--until", 240, "--to", "a")
            self.assertEqual("141 events delivered again to a\n", done.stdout)
            flow.until("all again", lambda: len(flow.bodies("a")) == 249 + 141)
            flow.settled()
            self.assertEqual(249, len(flow.bodies("b")))
            self.assertEqual(249 + 141, len(set(self.keys(flow, "a"))))
            shown = flow.lines("events", "show", 100)[0]["deliveries"]
            one = next(d for d in shown if d["target"] == "a")
            self.assertEqual((True, 1, "done"), (one["replay"], one["round"], one["state"]))
            self.assertEqual(["replayed", "done"], [t["result"] for t in one["trail"]])
            self.assertIn("a replay", flow.cli("events", "show", 100).stdout)
            self.assertNotIn("a replay", flow.cli("events", "show", 99).stdout)

    def test_a_rule_chooses_what_it_would_have_delivered(self):
        with Flow(self, TARGETS + rule("some", "order.*", "c", "where = data.number > 2\nshadow = yes") +
                  rule("all", "order.*", "a")) as flow:
            flow.receive(event(1), event(2), event(3), event(4))
            flow.settled()
            done = flow.cli("replay", "--since", "1h", "--to", "c", "--rule", "some")
            self.assertEqual("2 events delivered again to c\n", done.stdout)
            flow.until("both", lambda: len(flow.bodies("c")) == 2)
            flow.settled()
            self.assertEqual([3, 4], sorted(b["data"]["number"] for b in flow.bodies("c")))
            self.assertEqual("0 events delivered again to c\n",
                             flow.cli("replay", "--since", "1h", "--to", "c").stdout)

    def test_a_busy_target_is_not_flooded_and_live_deliveries_are_left_alone(self):
        with Flow(self, TARGETS + rule("all", "order.*", "a")) as flow:
            flow.receive(event(1))
            flow.settled()
            number = flow.cloud.trouble("sink", status=503)
            flow.receive(event(2))
            flow.until("a try", lambda: len(flow.cloud.seen("sink")) >= 2)
            done = flow.lines("replay", "--since", "1", "--to", "a")
            self.assertEqual([("begun", 1), ("live", 2)],
                             [(line["what"], line["seq"]) for line in done[:-1]])
            self.assertEqual((1, 1), (done[-1]["begun"], done[-1]["live"]))
            flow.cloud.calm(number)
            flow.until("three", lambda: len(flow.bodies("a")) == 3)
            flow.settled()

    def test_without_a_daemon_it_waits_for_the_next_one(self):
        with Flow(self, TARGETS + rule("all", "order.*", "a")) as flow:
            flow.receive(event(1))
            flow.settled()
            flow.stop()
            flow.cli("replay", "--since", "0", "--to", "a")
            flow.start()
            flow.until("it", lambda: len(flow.bodies("a")) == 2)
            flow.settled()

    def test_a_name_that_is_wrong_gets_the_nearest(self):
        with Flow(self, TARGETS + rule("all", "order.*", "log, a, b, c")) as flow:
            done = flow.cli("replay", "--since", "1h", "--to", "logg", check=False)
            self.assertEqual(65, done.returncode)
            self.assertIn("there is no action or sink logg; did you mean log?", done.stderr)
            done = flow.cli("replay", "--since", "1h", "--to", "log", "--rule", "al", check=False)
            self.assertEqual(65, done.returncode)
            self.assertIn("did you mean all?", done.stderr)


class Save(unittest.TestCase):
    def test_a_fixture_is_the_event_with_its_numbers_as_they_were_written(self):
        with Flow(self, TARGETS + rule("all", "order.*", "a, b, c, log")) as flow:
            text = ('{"specversion":"1.0","id":"x1","source":"shop","type":"order.placed",'
                    '"data":{"n":1.00,"big":12345678901234567890,"list":[],"of":[1,{"a":null}]}}')
            self.assertEqual(202, flow.post("/in", text, CLOUDEVENT))
            done = flow.cli("events", "save", 1)
            self.assertIn('    "n": 1.00,\n    "big": 12345678901234567890,\n    "list": [],\n'
                          '    "of": [\n      1,\n', done.stdout)
            saved = json.loads(done.stdout)
            self.assertEqual("in", saved["instance"])
            self.assertNotIn("sequence", saved)
            flow.write("again.json", done.stdout.replace("12345678901234567890", "1"))
            again = flow.cli("send", flow.directory / "again.json")
            self.assertIn("known already as event 1", again.stdout)

    def test_files_are_made_and_never_written_over(self):
        with Flow(self, TARGETS + rule("all", "order.*", "a, b, c, log")) as flow:
            flow.receive(event(1), event(2, "order.paid"))
            self.assertEqual(64, flow.cli("events", "save", 1, 2, check=False).returncode)
            flow.cli("events", "save", 1, 2, "-o", "fixtures")
            folder = pathlib.Path(flow.directory, "fixtures")
            self.assertEqual(["1-order.placed.json", "2-order.paid.json"],
                             sorted(p.name for p in folder.iterdir()))
            before = (folder / "1-order.placed.json").read_text()
            (folder / "1-order.placed.json").write_text("mine")
            done = flow.cli("events", "save", 1, "-o", "fixtures", check=False)
            self.assertEqual(73, done.returncode)
            self.assertEqual("mine", (folder / "1-order.placed.json").read_text())
            self.assertEqual(2, json.loads((folder / "2-order.paid.json").read_text())
                             ["data"]["number"])
            self.assertTrue(before.endswith("}\n"))
            self.assertEqual(65, flow.cli("events", "save", 99, check=False).returncode)


if __name__ == "__main__":
    unittest.main()
