"""Plugins from outside the tree, built through pkg-config against an installed prefix, in C and
C++: a sink, a source, an action that follows a job, and a sink in C++."""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

from flow.flow import Flow
from flow.router import ROOT

BUILD = os.environ.get("POINTSMAN_BUILD", "")
SOURCES = ROOT / "tests" / "third-party"
STRICT = ["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fPIC", "-shared", "-fvisibility=hidden"]

CONFIGURATION = """
[source hooks]
plugin = github
secret = ${credential:github-webhook}

[action job]
plugin = longjob
url = ${env:CLOUD}/jobs
body = {"ref": "{{ data.after }}"}
poll = 1s
retry = 1m, 50ms..200ms

[sink tell]
plugin = slack
url = ${credential:slack-url}
body = {"text": "{{ type }}: {{ data.job }}"}
retry = 1m, 50ms..200ms

[sink copy]
plugin = relay
url = ${env:CLOUD}/sink/copy

[rule pushed]
on = github.push
do = job

[rule ended]
on = job.*
do = tell, copy
"""


class ThirdParty(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="pointsman-third-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        subprocess.run(["meson", "install", "-C", BUILD, "--no-rebuild", "--quiet",
                        "--destdir", str(cls.folder / "root")], check=True)
        found = next((cls.folder / "root").rglob("pointsman-plugin.pc"))
        cls.environment = {**os.environ, "PKG_CONFIG_PATH": str(found.parent),
                           "PKG_CONFIG_SYSROOT_DIR": str(cls.folder / "root")}
        cls.installed = next((cls.folder / "root").rglob("http-in.so")).parent

    def pkg_config(self, *words):
        return subprocess.run(["pkg-config", *words, "pointsman-plugin"], check=True, text=True,
                              env=self.environment, capture_output=True).stdout.split()

    def build(self, compilers):
        """All four, into a plugin directory of their own."""
        folder = pathlib.Path(tempfile.mkdtemp(dir=self.folder))
        flags = self.pkg_config("--cflags")
        for name in ("slack.c", "github.c", "longjob.c"):
            self.compile(compilers[0], name, folder, "-std=c11", *flags)
        # In C++, unlike C, -Wextra dislikes members that are left out by name.
        self.compile(compilers[1], "relay.cc", folder, "-std=c++20",
                     "-Wno-missing-field-initializers", *flags)
        return folder

    @staticmethod
    def compile(compiler, name, folder, *flags):
        subprocess.run([compiler, *STRICT, *flags, str(SOURCES / name), "-o",
                        str(folder / name.partition(".")[0]) + ".so"], check=True)

    def test_pkg_config_knows_the_abi_and_the_place(self):
        self.assertEqual(["1"], self.pkg_config("--variable=abi_major"))
        self.assertEqual(["1"], self.pkg_config("--variable=abi_minor"))
        place = self.pkg_config("--variable=plugindir")[0]
        self.assertTrue(str(self.installed).endswith(place), (place, self.installed))

    def follow_a_job(self, compilers):
        folder = self.build(compilers)
        with Flow(self, CONFIGURATION, settings={"plugins": folder}) as flow:
            self.assertEqual(401, flow.github("push", {}, path="/hooks", secret="wrong"))
            payload = {"ref": "refs/heads/main", "after": "abc", "repository": {}, "sender": {}}
            self.assertEqual(202, flow.github("push", payload, path="/hooks"))
            self.assertEqual(202, flow.github("push", payload, path="/hooks"))
            flow.until("the job", lambda: flow.cloud.jobs.list())
            flow.until("a look", lambda: flow.cloud.seen("jobs", "look"))
            flow.kill()
            flow.cloud.trouble("slack", times=2, status=503)
            flow.start()
            flow.cloud.jobs.end()
            self.assertEqual("job.succeeded: 1", flow.expect_slack("job."))
            flow.settled()
            self.assertEqual({"1": "ok"}, flow.cloud.jobs.list())
            copies = [json.loads(e["body"]) for e in flow.cloud.seen("sink", "copy")]
            self.assertEqual(["job.succeeded"], [c["type"] for c in copies])

    def test_built_by_gcc_they_follow_a_job_through_a_restart(self):
        self.follow_a_job(("gcc", "g++"))

    def test_built_by_clang_too(self):
        self.follow_a_job(("clang", "clang++"))

    def test_a_dead_letter_of_theirs_is_redriven(self):
        folder = self.build(("gcc", "g++"))
        with Flow(self, CONFIGURATION, settings={"plugins": folder}) as flow:
            flow.cloud.trouble("jobs", times=1, status=404)
            payload = {"ref": "refs/heads/main", "after": "abc", "repository": {}, "sender": {}}
            flow.github("push", payload, path="/hooks")
            letter = flow.expect_dead()[0]
            flow.cli("dlq", "retry", letter["id"])
            flow.until("the job", lambda: flow.cloud.jobs.list())
            flow.cloud.jobs.end(status="failed")
            flow.expect_slack("job.failed: 1")


class Versions(unittest.TestCase):
    """What the loader says of a plugin that another host was meant for."""

    def refused(self, change, *words):
        with Flow(self, "[sink out]\nplugin = slack\nurl = ${credential:slack-url}\n\n"
                  "[rule all]\non = *\ndo = out\n", start=False) as flow:
            folder = flow.directory / "plugins"
            folder.mkdir()
            source = flow.write("slack.c", change((SOURCES / "slack.c").read_text()))
            subprocess.run(["gcc", "-std=c11", "-fPIC", "-shared", f"-I{ROOT}/include",
                            str(source), "-o", str(folder / "slack.so")], check=True)
            text = (flow.directory / "conf" / "00-pointsman.ini").read_text()
            lines = [f"plugins = {folder}" if line.startswith("plugins") else line
                     for line in text.splitlines()]
            flow.write("conf/00-pointsman.ini", "\n".join(lines) + "\n")
            done = flow.cli("check", check=False)
            self.assertEqual(78, done.returncode, done.stderr)
            for word in words:
                self.assertIn(word, done.stdout + done.stderr)

    def test_a_minor_too_high_names_both(self):
        self.refused(lambda text: text.replace("PM_PLUGIN(.kind", "PM_PLUGIN(.abi_minor = 7, .kind"),
                     "1.7", "1.1")

    def test_another_major_is_named(self):
        self.refused(lambda text: text.replace("#include", "#define pointsman_plugin_v1 "
                                               "pointsman_plugin_v2\n#include", 1),
                     "slack.so", "v2")

    def test_undefined_symbols_are_named(self):
        self.refused(lambda text: text.replace("static void deliver", "void nowhere(void);\n"
                                               "static void deliver").replace(
                         "h->finish_by_http", "nowhere();\n\th->finish_by_http"), "nowhere")

    def test_a_table_without_deliver_makes_no_sense(self):
        self.refused(lambda text: text.replace(", .deliver = deliver", "").replace(
            "static void deliver", "void deliver"), "deliver")


if __name__ == "__main__":
    unittest.main()
