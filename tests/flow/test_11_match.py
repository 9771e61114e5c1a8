"""`pointsman match`: which patterns match which events."""

import json
import pathlib
import re
import subprocess
import tempfile
import unittest

from flow.router import PROGRAM, ROOT

PATTERNS = """\
{"kind":["build"]}
{"kind":[{"prefix":"b"}],"n":[{"numeric":[">",2]}]}
{"tags":[{"anything-but":"red"}]}
"""
EVENTS = """\
{"kind":"build","n":3}
{"kind":"other"}
{"kind":"bake","n":3,"tags":["red","blue"]}
"""
SPEED = r"match: \d+ events/s, \d+ MB/s; compile: \d+ rules/s, \d+ kB\n"
CONFORMANCE = ROOT / "tests" / "conformance"


class Asking(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="pointsman-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def run_match(self, *words, files=None, given=""):
        """A word that is the name of a file of `files` stands for it."""
        for name, text in (files or {}).items():
            (self.folder / name).write_bytes(text.encode(errors="surrogatepass"))
        return subprocess.run([PROGRAM, "match", *words], input=given, capture_output=True,
                              text=True, cwd=self.folder, timeout=120, check=False)

    def match(self, *options, patterns=PATTERNS, events=EVENTS):
        done = self.run_match(*options, "p", "e", files={"p": patterns, "e": events})
        self.assertEqual((0, ""), (done.returncode, done.stderr))
        return done.stdout

    def refused(self, *options, patterns=PATTERNS, events=EVENTS):
        done = self.run_match(*options, "p", "e", files={"p": patterns, "e": events})
        self.assertEqual((65, ""), (done.returncode, done.stdout))
        return done.stderr


class Match(Asking):
    def test_each_event_gets_the_numbers_of_its_patterns(self):
        self.assertEqual("1 2\n\n2 3\n", self.match())

    def test_count_tells_how_many_events_each_pattern_matched(self):
        self.assertEqual("1\t1\n2\t2\n3\t1\n", self.match("--count"))

    def test_where_takes_expressions_about_the_payload(self):
        self.assertEqual("1\n\n1 2\n", self.match(
            "--where", patterns='data.kind starts "b" and data.n > 2\ndata.tags contains "e"\n'))

    def test_either_file_may_be_standard_input(self):
        for words, given in ((("-", "e"), PATTERNS), (("p", "-"), EVENTS)):
            done = self.run_match(*words, files={"p": PATTERNS, "e": EVENTS}, given=given)
            self.assertEqual((0, "1 2\n\n2 3\n", ""), (done.returncode, done.stdout, done.stderr))

    def test_json_has_one_object_a_line(self):
        lines = [json.loads(line) for line in self.match("--json").splitlines()]
        self.assertEqual([{"event": 1, "patterns": [1, 2]}, {"event": 2, "patterns": []},
                          {"event": 3, "patterns": [2, 3]}], lines)
        lines = [json.loads(line) for line in self.match("--json", "--count").splitlines()]
        self.assertEqual([{"pattern": 1, "events": 1}, {"pattern": 2, "events": 2},
                          {"pattern": 3, "events": 1}], lines)

    def test_carriage_returns_byte_order_marks_and_a_missing_last_newline_do_no_harm(self):
        self.assertEqual("1 2\n\n2 3\n", self.match(
            patterns="\ufeff" + PATTERNS.replace("\n", "\r\n").rstrip(),
            events="\ufeff" + EVENTS.replace("\n", "\r\n").rstrip()))
        self.assertEqual("1\n", self.match("--where", patterns="\ufeffdata.a == 1\r\n",
                                           events='{"a":1}'))

    def test_files_may_be_empty(self):
        self.assertEqual("", self.match(events=""))
        self.assertEqual("\n\n\n", self.match(patterns=""))
        self.assertEqual("", self.match("--count", patterns=""))

    def test_of_members_of_one_name_the_last_counts(self):
        self.assertEqual("2\n2 3\n", self.match(
            patterns='{"a":[1]}\n{"a":[2]}\n{"b":{"c":[{"exists":false}]}}\n',
            events='{"b":{"c":0},"a":1,"a":2}\n{"a":1,"b":{"c":1},"\\u0061":2,"b":{}}\n'))

    def test_every_bad_line_is_told_with_its_place_and_nothing_is_printed(self):
        said = self.refused(events='{"kind":"build"}\n{"kind":}\n\n[1]\n{"a":1} x\n')
        for line, column in ((2, 9), (3, 1), (4, 1), (5, 9)):
            self.assertRegex(said, rf"(?m)^e:{line}:{column}: .+")
        self.assertEqual(4, said.count("\n"))
        for option in ("--count", "--time"):
            self.assertIn("e:2:9: ", self.refused(option, events='{"a":1}\n{"kind":}\n'))

    def test_a_bad_pattern_is_told_with_its_place(self):
        said = self.refused(patterns='{"a":[1]}\n{"a":"x"}\n\n{"a":[1]')
        for line in (2, 3, 4):
            self.assertRegex(said, rf"(?m)^p:{line}:\d+: .+")
        said = self.refused("--where", patterns='data.a == 1\ntype == "x"\ndata.a = 1\n')
        self.assertRegex(said, r"^p:2:1: .*data.*\np:3:8: .*==.*\n$")

    def test_of_many_bad_lines_the_first_are_told_and_the_rest_counted(self):
        said = self.refused(events="x\n" * 100)
        self.assertEqual(21, said.count("\n"))
        self.assertIn("80 more lines", said.splitlines()[-1])

    def test_through_a_pipe_the_events_before_a_bad_one_are_matched(self):
        done = self.run_match("p", "-", files={"p": PATTERNS}, given=EVENTS + "{\n" + EVENTS)
        self.assertEqual((65, "1 2\n\n2 3\n"), (done.returncode, done.stdout))
        self.assertRegex(done.stderr, r"^-:4:2: .+\n$")

    def test_events_are_matched_as_they_come(self):
        (self.folder / "p").write_text(PATTERNS)
        with subprocess.Popen([PROGRAM, "match", "p", "-"], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True, cwd=self.folder) as process:
            for line, answer in zip(EVENTS.splitlines(), ("1 2\n", "\n", "2 3\n")):
                process.stdin.write(line + "\n")
                process.stdin.flush()
                self.assertEqual(answer, process.stdout.readline())
            process.stdin.close()
            self.assertEqual(0, process.wait(20))

    def test_a_reader_that_hangs_up_ends_it_quietly(self):
        (self.folder / "p").write_text(PATTERNS)
        done = subprocess.run(f"yes '{{}}' | {PROGRAM} match p - | head -1", shell=True,
                              capture_output=True, text=True, cwd=self.folder, timeout=60,
                              check=False)
        self.assertEqual(("\n", ""), (done.stdout, done.stderr))

    def test_many_events_are_matched_alike_from_a_file_and_a_pipe(self):
        events = "".join(f'{{"n":{n},"pad":"{"x" * (n * 7919 % 300)}"}}\n' for n in range(50000))
        files = {"p": '{"n":[49999]}\n{"n":[{"numeric":["<",1000]}]}\n', "e": events}
        expected = ["2"] * 1000 + [""] * 48999 + ["1"]
        for words, given in ((("p", "e"), ""), (("p", "-"), events)):
            done = self.run_match(*words, files=files, given=given)
            self.assertEqual((0, ""), (done.returncode, done.stderr))
            self.assertEqual(expected, done.stdout.split("\n")[:-1])

    def test_output_that_cannot_be_written_is_told(self):
        (self.folder / "p").write_text(PATTERNS)
        (self.folder / "e").write_text(EVENTS)
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = subprocess.run([PROGRAM, "match", "p", "e"], stdout=full, stderr=subprocess.PIPE,
                                  text=True, cwd=self.folder, timeout=60, check=False)
        self.assertEqual(74, done.returncode)
        self.assertIn("standard output: No space left", done.stderr)

    def test_time_ends_with_the_speeds(self):
        done = self.run_match("--time", "p", "e", files={"p": PATTERNS, "e": EVENTS})
        self.assertEqual((0, "1 2\n\n2 3\n"), (done.returncode, done.stdout))
        self.assertRegex(done.stderr, f"^{SPEED}$")

    def test_wrong_words_and_missing_files(self):
        files = {"p": PATTERNS, "e": EVENTS}
        for words, status, said in ((["p"], 64, "usage"), (["-", "-"], 64, "only one"),
                                    (["p", "no-such"], 66, "no-such"),
                                    (["no-such", "e"], 66, "no-such"), (["p", "."], 66, "directory")):
            done = self.run_match(*words, files=files)
            self.assertEqual((status, ""), (done.returncode, done.stdout))
            self.assertRegex(done.stderr, said)

    def test_a_line_too_long_to_be_an_event_is_told(self):
        done = self.run_match("p", "-", files={"p": PATTERNS},
                              given='{"a":"' + "x" * (65 << 20) + '"}\n{]\n')
        self.assertEqual(65, done.returncode)
        self.assertRegex(done.stderr, r"^-:1:1: .*64 MB.*\n-:2:2: ")


def differences():
    """Line to answer: where we differ from EventBridge's engine on purpose."""
    table = (CONFORMANCE / "test_conformance.c").read_text(encoding="utf-8")
    return {int(line): answer for line, answer in
            re.findall(r"\{(\d+), (YES|NO|BAD_PATTERN|BAD_EVENT), \"", table)}


class Case:
    def __init__(self, line, text, ours):
        case = json.loads(text)
        self.line = line
        self.pattern = self.text(case, "pattern")
        self.event = self.text(case, "event")
        if case.get("pattern_valid") is False:
            self.answer = "BAD_PATTERN"
        elif case.get("event_valid") is False:
            self.answer = "BAD_EVENT"
        else:
            self.answer = "YES" if case["match"] else "NO"
        self.answer = ours.get(line, self.answer)

    @staticmethod
    def text(case, name):
        raw = case.get(name + "_raw")
        return json.dumps(case[name], ensure_ascii=False) if raw is None else raw


class Conformance(Asking):
    """The cases of tests/conformance, all patterns against all events in one run."""

    @classmethod
    def setUpClass(cls):
        ours = differences()
        lines = (CONFORMANCE / "cases.jsonl").read_text(encoding="utf-8").splitlines()
        cls.cases = [Case(n, line, ours) for n, line in enumerate(lines, 1)]

    def those(self, *answers):
        return [case for case in self.cases if case.answer in answers]

    def test_patterns_match_the_events_they_should(self):
        cases = self.those("YES", "NO")
        self.assertGreater(len(cases), 200)
        lines = self.match(patterns="".join(case.pattern + "\n" for case in cases),
                           events="".join(case.event + "\n" for case in cases)).splitlines()
        self.assertEqual(len(cases), len(lines))
        for number, (case, line) in enumerate(zip(cases, lines), 1):
            with self.subTest(line=case.line, pattern=case.pattern, event=case.event):
                self.assertEqual(case.answer == "YES", str(number) in line.split())

    def test_bad_patterns_are_refused_with_their_place(self):
        cases = self.those("BAD_PATTERN")
        self.assertGreater(len(cases), 30)
        for begin in range(0, len(cases), 20):
            some = cases[begin:begin + 20]
            said = self.refused(patterns="".join(case.pattern + "\n" for case in some))
            self.assertEqual(len(some), said.count("\n"))
            for number, (case, text) in enumerate(zip(some, said.splitlines()), 1):
                with self.subTest(line=case.line, pattern=case.pattern):
                    self.assertRegex(text, rf"^p:{number}:[1-9]\d*: .{{10,}}")

    def test_bad_events_are_refused_with_their_place(self):
        cases = self.those("BAD_EVENT")
        self.assertGreater(len(cases), 5)
        said = self.refused(events="".join(case.event + "\n" for case in cases))
        self.assertEqual(len(cases), said.count("\n"))
        for number, (case, text) in enumerate(zip(cases, said.splitlines()), 1):
            with self.subTest(line=case.line, event=case.event):
                self.assertRegex(text, rf"^e:{number}:[1-9]\d*: .{{10,}}")


if __name__ == "__main__":
    unittest.main()
