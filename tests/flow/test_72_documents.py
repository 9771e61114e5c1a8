"""What the documents show is what works: their plugin builds, their configuration is good."""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

from flow.router import PLUGINS, PROGRAM, ROOT

STRICT = ("-std=c11", "-shared", "-fPIC", "-fvisibility=hidden", "-Wl,-z,defs", "-Wall",
          "-Wextra", "-Wpedantic", "-Werror")


def rows(block):
    """An event, and below it lines of true or false and what is so of it."""
    event, *lines = block.strip().splitlines()
    return event, [re.match(r"(true|false) +(.*)", line).groups() for line in lines]


def blocks(document, language):
    return re.findall(rf"^```{language}\n(.*?)^```", (ROOT / document).read_text(),
                      re.MULTILINE | re.DOTALL)


class Documents(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)

    def pointsman(self, *words, **environment):
        return subprocess.run([PROGRAM, *words], text=True, capture_output=True, timeout=60,
                              env={**os.environ, **environment}, check=False)

    def check(self, text, plugins, **environment):
        path = self.folder / "given.ini"
        path.write_text(f"[pointsman]\nplugins = {plugins}\nstate = {self.folder}\n"
                        f"listen = 127.0.0.1:0\n{text}")
        found = self.pointsman("check", "-c", path, **environment)
        self.assertEqual((0, ""), (found.returncode, found.stderr))

    def test_the_sink_of_the_authors_guide_builds_and_is_described_and_checked(self):
        source = self.folder / "announce.c"
        source.write_text(blocks("docs/plugins.md", "c")[0])
        self.assertLessEqual(len(source.read_text().splitlines()), 30)
        subprocess.run(["gcc", *STRICT, f"-I{ROOT}/include", "-o", self.folder / "announce.so",
                        source], check=True)
        for shipped in pathlib.Path(PLUGINS).glob("http-in.so"):
            shutil.copy(shipped, self.folder)
        told = self.pointsman("plugins", "describe", "announce", "-c", self.ini())
        self.assertIn("Post a line for each event", told.stdout, told.stderr)
        self.check(blocks("docs/plugins.md", "ini")[0].replace("build.failed", "x.y")
                   + "\n[source in]\nplugin = http-in\n", self.folder,
                   CHAT_URL="http://127.0.0.1:1/")

    def ini(self):
        path = self.folder / "empty.ini"
        path.write_text(f"[pointsman]\nplugins = {self.folder}\n")
        return path

    def test_the_example_of_the_configuration_page_is_good(self):
        (self.folder / "slack-url").write_text("http://127.0.0.1:1/")
        self.check(blocks("docs/configuration.md", "ini")[0], PLUGINS,
                   CREDENTIALS_DIRECTORY=str(self.folder))

    def test_the_rules_of_the_rules_page_are_good(self):
        (self.folder / "slack-url").write_text("http://127.0.0.1:1/")
        examples = blocks("docs/rules.md", "ini")
        self.assertEqual(2, len(examples))
        for text in examples:
            self.check(text, PLUGINS, CREDENTIALS_DIRECTORY=str(self.folder))

    def test_the_rules_page_says_what_is_so_of_its_events(self):
        for language, options, least in (("where", ["--where"], 40), ("pattern", [], 13)):
            told = 0
            for block in blocks("docs/rules.md", language):
                event, lines = rows(block)
                (self.folder / "asked").write_text("".join(f"{text}\n" for _, text in lines))
                (self.folder / "event").write_text(event + "\n")
                done = self.pointsman("match", *options, self.folder / "asked",
                                      self.folder / "event")
                said = " ".join(str(n) for n, (holds, _) in enumerate(lines, 1)
                                if holds == "true")
                self.assertEqual((said + "\n", ""), (done.stdout, done.stderr), block)
                told += len(lines)
            self.assertGreaterEqual(told, least)


if __name__ == "__main__":
    unittest.main()
