"""`init --from-eventbridge` prints a rule of EventBridge as a section that `check` accepts."""

import json
import re
import subprocess
import unittest

from flow.flow import Flow
from flow.router import PROGRAM

PATTERN = {
    "source": ["aws.ec2"],
    "detail-type": ["EC2 Instance State-change Notification"],
    "detail": {"state": ["running", {"prefix": "stop"}], "note": ["a ;b", "${x}", "\\;"]},
}

DESCRIBED = {
    "Name": "prod.ec2",
    "Arn": "arn:aws:events:eu-west-1:111122223333:rule/prod.ec2",
    "EventPattern": json.dumps(PATTERN),
    "State": "DISABLED",
    "Description": "What the machines do\n[rule evil]",
    "EventBusName": "default",
}

AROUND = """
[source in]
plugin = http-in

[sink out]
plugin = slack
url = ${credential:slack-url}

[sink slack-ops]
plugin = slack
url = ${credential:slack-url}

"""


def init(rule, **how):
    text = rule if isinstance(rule, str) else json.dumps(rule)
    return subprocess.run([PROGRAM, "init", "--from-eventbridge", "-"], input=text, text=True,
                          capture_output=True, timeout=60, check=False, **how)


class FromEventBridge(unittest.TestCase):
    def section(self, rule):
        done = init(rule)
        self.assertEqual((0, ""), (done.returncode, done.stderr))
        return done.stdout

    def pattern_is_kept(self, rule, pattern):
        """The section is read back, and its pattern is the one that was given."""
        section = self.section(rule)
        self.assertTrue(all(len(line) <= 199 for line in section.encode().splitlines()))
        with Flow(self, AROUND + section, start=False) as flow:
            flow.cli("check")
        value = re.search(r"^pattern = (.*?)\n(?=;)", section, re.MULTILINE | re.DOTALL)[1]
        joined = " ".join(line.strip() for line in value.splitlines()).replace("\\;", ";")
        self.assertEqual(pattern, json.loads(joined))
        return section

    def test_what_describe_rule_prints(self):
        section = self.pattern_is_kept(DESCRIBED, PATTERN)
        self.assertIn("[rule prod-ec2]\nenabled = no\n", section)
        self.assertIn("; prod.ec2\n", section)
        self.assertIn("; What the machines do\n; [rule evil]\n", section)
        self.assertIn("\npattern-at = data\n", section)
        self.assertIn("\ndo = out\n", section)

    def test_a_resource_of_cloudformation_names_its_targets(self):
        section = self.pattern_is_kept({
            "Type": "AWS::Events::Rule",
            "Properties": {
                "EventPattern": PATTERN,
                "State": "ENABLED",
                "Targets": [
                    {"Id": "slack.ops", "Arn": {"Fn::GetAtt": ["Topic", "Arn"]}},
                    {"Id": "out", "Arn": "arn:aws:sqs:q", "InputPath": "$.detail"},
                ],
            },
        }, PATTERN)
        self.assertIn("[rule from-eventbridge]\n", section)
        self.assertNotIn("enabled", section)
        self.assertIn('; target slack.ops: {"Fn::GetAtt": ["Topic", "Arn"]}\n', section)
        self.assertIn("; target out: arn:aws:sqs:q; its InputPath", section)
        self.assertIn("\ndo = slack-ops, out\n", section)

    def test_a_pattern_alone_however_long(self):
        long = {"detail": {f"field-{i}": [f"value {i}" + "x" * (i % 90)] for i in range(200)}}
        self.pattern_is_kept(long, long)

    def test_a_name_too_long_for_a_heading_is_cut(self):
        section = self.pattern_is_kept({"Name": "n" * 64, "EventPattern": json.dumps(PATTERN)},
                                       PATTERN)
        self.assertIn("[rule " + "n" * 44 + "]\n", section)
        self.assertIn("; " + "n" * 64 + "\n", section)

    def test_a_text_too_long_for_a_line_goes_into_a_file(self):
        pattern = {"a": ["x" * 300, "y ;z"]}
        section = self.section(json.dumps(pattern, indent=2))
        self.assertIn("\npattern = @pattern.json\n", section)
        given = re.search(r"pattern\.json\.\n; (.*)\n", section)[1]
        self.assertEqual(pattern, json.loads(given))
        with Flow(self, AROUND + section, start=False) as flow:
            (flow.directory / "conf.d").mkdir(exist_ok=True)
            done = flow.cli("check", check=False)
            self.assertEqual(78, done.returncode)
            missing = re.search(r"cannot open (\S*pattern\.json)", done.stderr)[1]
            with open(missing, "w", encoding="utf-8") as file:
                file.write(given)
            flow.cli("check")

    def refused(self, rule, *parts):
        done = init(rule)
        self.assertEqual((65, ""), (done.returncode, done.stdout))
        for part in parts:
            self.assertIn(part, done.stderr)

    def test_what_is_no_such_rule_is_refused_with_its_place(self):
        self.refused({"Name": "tick", "ScheduleExpression": "rate(5 minutes)"},
                     "-:1:40: ", "rate(5 minutes)", "pointsman send")
        self.refused({"Rules": [DESCRIBED]}, "jq '.Rules[0]'")
        self.refused({"Resources": {"R": {}}}, "jq '.Resources.NAME'")
        self.refused('{"source":\n ["x"],', "-:2:")
        self.refused('{"source":\n "x"}', '-:2:2: values stand in an array: "source": ["x"]')
        self.refused({"EventPattern": '{"a":"x"}'}, "EventPattern, byte 6: values stand in")
        self.refused({"EventPattern": 5}, "no EventPattern")

    def test_the_command_line_is_checked(self):
        for words, status in ((["init"], 64), (["init", "x.json"], 64),
                              (["init", "--from-eventbridge", "no-such.json"], 66)):
            done = subprocess.run([PROGRAM, *words], text=True, capture_output=True, timeout=60,
                                  check=False)
            self.assertEqual((status, ""), (done.returncode, done.stdout))
            self.assertIn("pointsman: ", done.stderr)


if __name__ == "__main__":
    unittest.main()
