"""tally.py testlog.json..: add up the cases inside meson's tests; the last line counts them.

A test program that fails without saying how many of its cases did counts as one failure.
"""

import json
import re
import sys

RUN = r"^\[==========\].*?(\d+) test\(s\) run\."
FAILED = r"^\[  FAILED  \].*?(\d+) test\(s\)"
SKIPPED = r"^\[  SKIPPED \].*?(\d+) test\(s\)"


def total(pattern, text):
    return sum(map(int, re.findall(pattern, text, re.MULTILINE)))


def of_unittest(text):
    """(run, failed, skipped) of Python's unittest."""
    verdict = re.findall(r"^(?:OK|FAILED)(?: \((.*)\))?$", text, re.MULTILINE)
    said = dict(part.split("=") for part in (verdict[-1] if verdict else "").split(", ") if part)
    return (total(r"^Ran (\d+) tests? in", text),
            int(said.get("failures", 0)) + int(said.get("errors", 0)),
            int(said.get("skipped", 0)))


def of_cmocka(text):
    return total(RUN, text), total(FAILED, text), total(SKIPPED, text)


def count(entry):
    """(passed, failed, skipped) of one program."""
    text = (entry.get("stdout") or "") + "\n" + (entry.get("stderr") or "")
    unittest = re.search(r"^Ran \d+ tests? in", text, re.MULTILINE)
    run, failed, skipped = of_unittest(text) if unittest else of_cmocka(text)
    if entry["result"] == "OK":
        return max(run - skipped, 1), 0, skipped
    if entry["result"] == "SKIP":
        return 0, 0, max(run, 1)
    failed = max(failed, 1)
    return max(run - failed - skipped, 0), failed, skipped


def main():
    counts = []
    for name in sys.argv[1:]:
        with open(name, encoding="utf-8") as log:
            counts += [count(json.loads(line)) for line in log if line.strip()]
    passed, failed, skipped = (sum(column) for column in zip(*counts))
    line = f"{passed} passed, {failed} failed"
    print(line + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed or not passed else 0


sys.exit(main())
