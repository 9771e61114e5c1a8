"""Run libFuzzer's programs one after the other; tests/fuzz/run says how it is called."""

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

CORPUS = pathlib.Path(__file__).parent / "corpus"
SHARED = {"json_jansson": "json"}  # targets with the corpus of another
MOST_FILES, MOST_BYTES, LARGEST = 100, 100_000, 1024
LEAST_LARGEST = 64
OPTIONS = ["-entropic=0", "-timeout=25", "-rss_limit_mb=2000", "-print_final_stats=1"]
ENVIRONMENT = {
    "ASAN_OPTIONS": "quarantine_size_mb=16:malloc_context_size=5",
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
}


class Target:
    def __init__(self, program, build):
        self.name = program.name.removeprefix("fuzz_")
        self.program = program
        self.corpus = CORPUS / SHARED.get(self.name, self.name)
        self.found = build / "found" / self.name
        self.found.mkdir(parents=True, exist_ok=True)

    def ask(self, *arguments):
        return subprocess.run(
            [self.program, *OPTIONS, f"-artifact_prefix={self.found}-", *arguments],
            env={**os.environ, **ENVIRONMENT}, capture_output=True, text=True, errors="replace")

    def longest(self):
        """Inputs up to twice the size of the largest that people wrote."""
        return max(LEAST_LARGEST, *(2 * f.stat().st_size for f in self.corpus.iterdir()))

    def search(self, limit):
        return self.ask(limit, f"-max_len={self.longest()}", self.found, self.corpus)

    def merge(self):
        """What is small, and reaches what the corpus does not, smallest first."""
        with tempfile.TemporaryDirectory() as directory:
            both, small = pathlib.Path(directory, "both"), pathlib.Path(directory, "small")
            shutil.copytree(self.corpus, both)
            small.mkdir()
            for file in self.found.iterdir():
                if file.stat().st_size <= LARGEST:
                    shutil.copy(file, small)
            self.ask("-merge=1", both, small)
            self.take(sorted(both.iterdir(), key=lambda f: f.stat().st_size))

    def take(self, files):
        there = list(self.corpus.iterdir())
        n, size = len(there), sum(f.stat().st_size for f in there)
        for file in files:
            if (self.corpus / file.name).exists():
                continue
            n, size = n + 1, size + file.stat().st_size
            if n > MOST_FILES or size > MOST_BYTES:
                return
            shutil.copy(file, self.corpus)


def last(pattern, text):
    found = re.findall(pattern, text)
    return found[-1] if found else "?"


def row(target, result):
    said = result.stderr
    print(f"{target.name:32} {last(r'number_of_executed_units: *([0-9]+)', said):>10} "
          f"{last(r'average_exec_per_sec: *([0-9]+)', said):>8} "
          f"{len(list(target.corpus.iterdir())):>6} {last(r'cov: ([0-9]+)', said):>6}  "
          f"{'ok' if result.returncode == 0 else 'BROKEN'}", flush=True)
    if result.returncode != 0:
        print(said[-4000:], file=sys.stderr)


def targets(build, names):
    programs = {p.name.removeprefix("fuzz_"): p for p in (build / "tests" / "fuzz").glob("fuzz_*")
                if p.is_file() and os.access(p, os.X_OK)}
    unknown = set(names) - set(programs)
    if unknown:
        sys.exit(f"no such target: {', '.join(sorted(unknown))}; "
                 f"there are {', '.join(sorted(programs))}")
    return [Target(programs[name], build) for name in names or sorted(programs)]


def main():
    parser = argparse.ArgumentParser(prog="tests/fuzz/run")
    limit = parser.add_mutually_exclusive_group()
    limit.add_argument("--seconds", type=int, default=60)
    limit.add_argument("--runs", type=int)
    parser.add_argument("--merge", action="store_true")
    parser.add_argument("target", nargs="*")
    given = parser.parse_intermixed_args()
    limit = f"-runs={given.runs}" if given.runs else f"-max_total_time={given.seconds}"
    broken = 0
    print(f"{'target':32} {'runs':>10} {'runs/s':>8} {'corpus':>6} {'edges':>6}")
    for target in targets(pathlib.Path(os.environ["BUILD"]), given.target):
        result = target.search(limit)
        broken |= result.returncode != 0
        if given.merge and result.returncode == 0:
            target.merge()
        row(target, result)
    sys.exit(broken)


if __name__ == "__main__":
    main()
