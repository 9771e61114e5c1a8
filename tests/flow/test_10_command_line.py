"""The command line: what `check` finds, what exit codes say."""

import json
import pathlib
import re
import unittest

from flow.flow import Flow
from flow.router import ROOT
from flow.site import QUICK

MISTAKEN = """
[source in]
plugin = http-inn

[source hook]
plugin = http-in
sekret = x

[sink out]
plugin = slack
url = https://hooks.slack.com/services/T0/B0/clear

[rule all]
on = a.b
from = hoook
where = data.x = 3
do = outt

[rule all]
on = a.b
do = out
"""


class CommandLine(unittest.TestCase):
    def flow(self, configuration, **how):
        return Flow(self, configuration, start=False, **how)

    def test_the_shipped_configuration_is_right(self):
        with Flow(self, paths=[ROOT / "conf.d"], environment=QUICK, start=False) as flow:
            flow.cli("check")
            self.assertEqual([], flow.cloud.seen(), "check contacted somebody")

    def test_all_mistakes_at_once_each_with_its_place(self):
        with self.flow(MISTAKEN) as flow:
            done = flow.cli("check", check=False)
            self.assertEqual(78, done.returncode)
            text = done.stdout + done.stderr
            for line, word in ((3, "http-in"), (7, "secret"), (11, "url"), (15, "hook"),
                               (16, "where"), (17, "out"), (19, "all")):
                self.assertRegex(text, rf"50-test\.ini:{line}:\d+: .*{word}")

    def test_nothing_starts_with_a_mistaken_configuration(self):
        with self.flow(MISTAKEN) as flow:
            done = flow.cli("run", check=False)
            self.assertEqual(78, done.returncode)
            self.assertFalse((flow.directory / "state").exists())
            self.assertEqual([], flow.cloud.seen())

    def test_secrets_are_masked_in_complaints(self):
        with self.flow("""
[sink out]
plugin = slack
url = ${credential:slack-url}
sekret = ${credential:slack-url}

[rule all]
on = a.b
do = out
""") as flow:
            done = flow.cli("check", check=False)
            self.assertEqual(78, done.returncode)
            self.assertNotIn("slack-secret-of-tests", done.stdout + done.stderr)

    def test_a_missing_local_secret_is_a_mistake(self):
        with self.flow("""
[sink out]
plugin = slack
url = ${credential:not-there}
""") as flow:
            done = flow.cli("check", check=False)
            self.assertEqual(78, done.returncode)
            self.assertIn("not-there", done.stdout + done.stderr)

    def test_usage_errors_are_64(self):
        with self.flow("") as flow:
            self.assertEqual(64, flow.cli("no-such-verb", check=False).returncode)
            self.assertEqual(64, flow.cli("check", "--no-such-flag", check=False).returncode)

    def test_the_plugins_are_listed_and_described(self):
        with self.flow("") as flow:
            names = flow.cli("plugins", "list").stdout
            shipped = {p.name for p in (ROOT / "plugins").iterdir()
                       if (p / f"{p.name}.c").exists()}
            self.assertEqual(11, len(shipped))
            for name in shipped:
                self.assertIn(name, names)
                described = flow.cli("plugins", "describe", name).stdout
                self.assertIn(f"plugin = {name}", described)

    def test_the_version_is_said(self):
        with self.flow("") as flow:
            self.assertRegex(flow.cli("version").stdout, r"\d+\.\d+\.\d+")

    def test_every_example_of_a_plugin_is_right(self):
        for example in sorted((ROOT / "plugins").glob("*/example.ini")):
            with self.subTest(plugin=example.parent.name):
                self.check_example(example)

    def check_example(self, example):
        """With whatever secrets it asks for."""
        text = example.read_text()
        wanted = {kind: re.findall(rf"\$\{{{kind}:([^}}:]+)", text) for kind in ("env", "credential")}
        with self.flow(text, environment=dict.fromkeys(wanted["env"], "https://example.com/x"),
                       credentials=dict.fromkeys(wanted["credential"],
                                                 "https://example.com/x")) as flow:
            done = flow.cli("check", check=False)
            self.assertEqual(0, done.returncode, done.stdout + done.stderr)


class Fixtures(unittest.TestCase):
    def test_the_given_events_are_cloudevents(self):
        for path in sorted(pathlib.Path(ROOT / "conf.d" / "events").glob("*.json")):
            event = json.loads(path.read_text())
            for name in ("specversion", "id", "source", "type", "data"):
                self.assertIn(name, event, path.name)


if __name__ == "__main__":
    unittest.main()
