"""What `explain` and `types` tell the person on call."""

import json
import re
import unittest

from flow.flow import Flow
from flow.parts import IN, event, sink
from flow.router import ROOT

RULES = IN + sink() + """
[rule done]
on = order.placed
where = data.phase == "DONE" and data.kind in ["app", "library"]
    and any data.lines (name == "x" and count > 1)
do = out

[rule all]
on = order.*
do = out

[rule far]
on = parcel.*
do = out

[input placed]
on = order.placed

[input paid]
on = order.paid

[rule both]
inputs = placed, paid
do = notes

[sink notes]
plugin = slack
url = ${credential:slack-url}
text = {{ inputs.placed.data.phase }}
"""

SECRET = "slack-secret-of-tests"


def order(**data):
    return {**event(1), "type": "order.placed", "data": data}


class Explain(unittest.TestCase):
    def flow(self, **how):
        return Flow(self, RULES, **how)

    def conditions(self, rule):
        return {c["text"]: (c["verdict"], c["value"])
                for ask in rule["asks"] for c in ask["conditions"]}

    def explained(self, flow, *words):
        """The objects of the rules, by name; what stands before them."""
        head, *rules = flow.lines("explain", *words)
        return head, {r["rule"]: r for r in rules}

    def test_each_condition_tells_what_it_met(self):
        with self.flow(start=False) as flow:
            path = flow.write("event.json", json.dumps(order(
                phase="BUILT", kind="app", lines=[{"name": "y", "count": 5}])))
            head, rules = self.explained(flow, path)
            self.assertEqual("order.placed", head["event"]["type"])
            self.assertEqual("not matched", rules["done"]["verdict"])
            self.assertEqual({
                "order.placed": ("pass", '"order.placed"'),
                'data.phase == "DONE"': ("fail", '"BUILT"'),
                'data.kind in ["app", "library"]': ("pass", '"app"'),
                'name == "x"': ("fail", '"y"'),
                "count > 1": ("pass", "5")}, self.conditions(rules["done"]))
            self.assertEqual("matched", rules["all"]["verdict"])
            self.assertEqual(["out"], [d["target"] for d in rules["all"]["deliveries"]])
            self.assertFalse((flow.directory / "state").exists(), "a file needs no journal")

    def test_people_see_the_value_beside_the_condition(self):
        with self.flow(start=False) as flow:
            text = flow.cli("explain", "-", text=json.dumps(order(
                phase="BUILT", lines=[{"name": "y"}, {"name": "x", "count": 2}]))).stdout
            self.assertRegex(text, r"rule done +NO")
            self.assertRegex(text, r'FAIL where +data.phase == "DONE" +was "BUILT"')
            self.assertRegex(text, r"FAIL where +data.kind in .* +absent")
            self.assertRegex(text, r'PASS where +name == "x" +was "x" in element 1 of data.lines')
            self.assertRegex(text, r"rule all +YES")
            self.assertRegex(text, r"-> +out")
            self.assertRegex(text, r"fills +placed; waits for paid")
            self.assertNotIn("rule far", text)
            self.assertIn("1 rule is about other types", text)

    def test_one_rule_alone_of_a_payload_with_a_type(self):
        with self.flow(start=False) as flow:
            text = flow.cli("explain", "-", "--type", "order.placed", "--instance", "in", "--rule",
                            "done", text='{"phase":"DONE"}').stdout
            self.assertEqual(["done"], re.findall(r"^rule (\S+)", text, re.M))
            self.assertRegex(text, r'PASS where +data.phase == "DONE"')
            self.assertIn("from in", text)

    def test_secrets_are_masked(self):
        with self.flow(start=False) as flow:
            address = flow.cloud.address + "/slack/services/T0/B0/" + SECRET
            for more in ((), ("--json",)):
                text = flow.cli("explain", "-", *more, text=json.dumps(order(phase=address))).stdout
                self.assertNotIn(SECRET, text)
                self.assertIn("***", text)

    def test_an_event_from_history_against_the_rules_of_today_and_of_then(self):
        with self.flow() as flow:
            flow.receive(order(phase="BUILT", number=12345678901234567890))
            flow.settled()
            seq = flow.events("order.placed")[0]["seq"]
            head, rules = self.explained(flow, seq)
            self.assertTrue(head["recalled"])
            self.assertIn("12345678901234567890", flow.cli("explain", seq, "--json").stdout)
            self.assertEqual("not matched", rules["done"]["verdict"])
            self.assertEqual(seq, rules["both"]["now"]["inputs"]["placed"]["seq"])
            self.assertIsNone(rules["both"]["now"]["inputs"]["paid"])

            flow.configure(RULES.replace('"DONE"', '"BUILT"').replace("count > 1", "count > 0"))
            _, rules = self.explained(flow, seq)
            self.assertEqual(("pass", '"BUILT"'),
                             self.conditions(rules["done"])['data.phase == "BUILT"'])
            [then] = flow.lines("explain", seq, "--then")
            failed = [v.get("failed") for v in then["decided"] if v["rule"] == "done"]
            self.assertEqual([["where", 0]], failed)
            self.assertEqual([{"target": "out", "rule": "all"}], then["duties"])
            self.assertRegex(flow.cli("explain", seq, "--then").stdout,
                             r"rule done +NO: where, test 1\b")

    def test_a_firing_tells_what_its_rule_delivers(self):
        with self.flow() as flow:
            flow.receive(order(phase="DONE"), {**event(2), "type": "order.paid"})
            flow.expect_slack("DONE")
            flow.settled()
            seq = flow.events("pointsman.rule.fired")[0]["seq"]
            flow.stop()
            _, rules = self.explained(flow, seq)
            self.assertEqual("fired", rules["both"]["verdict"])
            [delivery] = rules["both"]["deliveries"]
            self.assertEqual("notes", delivery["target"])
            self.assertIn({"key": "text", "text": "DONE", "problem": None}, delivery["keys"])

    def test_what_cannot_be_explained_says_why(self):
        with self.flow(start=False) as flow:
            def status(*words, text=""):
                done = flow.cli("explain", *words, check=False, text=text)
                self.assertEqual("", done.stdout)
                self.assertNotEqual("", done.stderr)
                return done.returncode

            self.assertEqual(64, status())
            self.assertEqual(64, status("x.json", "--then"))
            self.assertEqual(64, status("-", "--rule", "dine", text=json.dumps(order())))
            self.assertEqual(65, status("-", text="{"))
            self.assertEqual(65, status("-", text=json.dumps({**order(), "type": "No Type"})))
            self.assertEqual(65, status("99"))
            self.assertEqual(66, status("nowhere.json"))
            flow.configure("[rule x]\non = a b\n")
            self.assertEqual(78, status("-", text=json.dumps(order())))

    def test_the_shipped_events_are_explained(self):
        with Flow(self, paths=[ROOT / "conf.d"], start=False) as flow:
            path = ROOT / "conf.d" / "events" / "in-tests-complete.json"
            _, rules = self.explained(flow, path)
            [delivery] = rules["tests-complete"]["deliveries"]
            self.assertIn({"key": "key", "text": "metadata/in.json", "problem": None},
                          delivery["keys"])


def problems(value, schema, at="$"):
    """What little of JSON Schema the schemas of `types` use."""
    kinds = {"object": dict, "string": str, "boolean": bool, "array": list, "number": (int, float)}
    if "const" in schema and value != schema["const"]:
        return [f"{at}: not {schema['const']}"]
    if "type" in schema and not isinstance(value, kinds[schema["type"]]):
        return [f"{at}: no {schema['type']}"]
    if "pattern" in schema and not re.search(schema["pattern"], value):
        return [f"{at}: {value} does not fit {schema['pattern']}"]
    if not isinstance(value, dict):
        return []
    known = schema.get("properties", {})
    found = [f"{at}.{name}: missing" for name in schema.get("required", []) if name not in value]
    if not schema.get("additionalProperties", True):
        found += [f"{at}.{name}: unknown" for name in value if name not in known]
    return found + [p for name in known if name in value
                    for p in problems(value[name], known[name], f"{at}.{name}")]


class Types(unittest.TestCase):
    def test_the_types_that_sections_emit(self):
        with Flow(self, paths=[ROOT / "conf.d"], start=False) as flow:
            types = {t["type"]: t for t in flow.lines("types")}
            written = types["s3.object.written"]
            self.assertEqual(["write-metadata"], written["from"])
            self.assertIn({"name": "size", "type": "number", "optional": False},
                          written["fields"])
            self.assertIsNone(types["pointsman.rule.fired"]["plugin"])
            text = flow.cli("types", "build.*").stdout
            self.assertIn("build.failed", text)
            self.assertNotIn("s3.object", text)
            done = flow.cli("types", "build.faled", check=False)
            self.assertEqual(64, done.returncode)
            self.assertIn("`build.failed`", done.stderr)

    def test_the_cost_of_a_rule_is_how_its_events_are_found(self):
        rules = IN + sink() + """
[rule one]
on = order.*
where = data.id == "17" and data.n > 5
do = out

[rule text]
on = order.*
where = data.note contains "urgent" or data.note matches "v[0-9]+"
do = out

[rule none]
on = order.*
where = not (data.id exists)
do = out
"""
        with Flow(self, rules, start=False) as flow:
            *costs, total = flow.lines("check", "--cost")
            by_rule = {c["rule"]: c for c in costs}
            self.assertEqual(["looked up", "data.id", 1],
                             [by_rule["one"][k] for k in ("way", "field", "left")])
            self.assertEqual("matched", by_rule["text"]["way"])
            self.assertLess(3, by_rule["text"]["states"])
            self.assertEqual("type", by_rule["none"]["field"])
            self.assertEqual(3, total["rules"])
            self.assertIn("looked up  data.id", flow.cli("check", "--cost").stdout)

    def test_without_sections_every_plugin_tells_its_types(self):
        with Flow(self, "", start=False) as flow:
            types = {t["type"]: t for t in flow.lines("types")}
            self.assertEqual("github", types["github.push"]["plugin"])
            self.assertEqual([], types["github.push"]["from"])

    def test_a_schema_fits_the_events_and_no_others(self):
        with Flow(self, paths=[ROOT / "conf.d"], start=False) as flow:
            schemas = {s["title"]: s for s in flow.lines("types", "--schema")}
            for schema in schemas.values():
                self.assertEqual("https://json-schema.org/draft/2020-12/schema",
                                 schema["$schema"])
                self.assertLessEqual(set(schema["required"]), set(schema["properties"]))
            good = json.loads((ROOT / "conf.d" / "events" / "in-tests-complete.json").read_text())
            schema = schemas[good["type"]]
            self.assertEqual([], problems(good, schema))
            self.assertEqual(["$.data.table: missing"], problems(
                {**good, "data": {k: v for k, v in good["data"].items() if k != "table"}}, schema))
            data = {**good["data"], "new": 1, "other": 2}
            self.assertEqual(["$.data.other: unknown", "$.data.new: no object"],
                             problems({**good, "data": data}, schema))
            wild = {**good, "type": "github.pull_request.opened", "data": {"action": "opened"}}
            self.assertEqual([], problems(wild, schemas["github.*"]))
            self.assertEqual(1, len(problems({**wild, "type": "git.x"}, schemas["github.*"])))


if __name__ == "__main__":
    unittest.main()
