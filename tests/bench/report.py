"""Running `pointsman match --time`, and rows of what it said."""

import json
import math
import pathlib
import platform
import re
import subprocess
import tempfile

HEAD = ("| {} | events/s | MB/s | rules/s compiled | kB | bytes a rule | matches an event | bar "
        "| met |\n|---|--:|--:|--:|--:|--:|--:|---|---|")


class Result:
    """Of one run: speeds, and how many events each pattern matched."""

    def __init__(self, figures, counts, events):
        self.events_per_second = figures["events_per_second"]
        self.megabytes = figures["event_bytes_per_second"] / 1e6
        self.rules_per_second = figures["rules_per_second"]
        self.bytes = figures["compiled_bytes"]
        self.counts = counts
        self.events = events

    @property
    def bytes_a_rule(self):
        return self.bytes / max(1, len(self.counts))

    @property
    def hits(self):
        return sum(self.counts) / max(1, self.events)


class Bar:
    """`at_least`, or `at_most`, of something in a Result."""

    def __init__(self, text, value, at_least=None, at_most=None):
        self.text, self.value = text, value
        self.at_least, self.at_most = at_least, at_most

    def verdict(self, result):
        value = self.value(result)
        if self.at_least is not None:
            if value >= self.at_least:
                return "yes"
            return f"no, {math.floor(100 * value / self.at_least) / 100} of it"
        return "yes" if value <= self.at_most else f"no, {value / self.at_most:.2f} times"


def speed(events_per_second):
    return Bar(f"≥ {short(events_per_second)} events/s", lambda r: r.events_per_second,
               at_least=events_per_second)


def short(n):
    """Three digits, as people read them."""
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if n >= size:
            return f"{n / size:.3g}{unit}" if n < 1e3 * size else f"{n / size:.0f}{unit}"
    return f"{n:.3g}"


class Report:
    def __init__(self, program, patience):
        self.program, self.patience = program, patience
        self.missed = []

    def run(self, rules, events, where=False, count_events=None):
        """None if it takes longer than our patience."""
        with tempfile.NamedTemporaryFile("w", suffix=".rules") as file:
            file.writelines(rule + "\n" for rule in rules)
            file.flush()
            command = [self.program, "match", "--count", "--time", "--json", file.name, events]
            try:
                done = subprocess.run(command + ["--where"] * where, capture_output=True,
                                      text=True, timeout=self.patience, check=False)
            except subprocess.TimeoutExpired:
                return None
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(map(str, command))}: exit {done.returncode}\n{done.stderr}")
        counts = [json.loads(line)["events"] for line in done.stdout.splitlines()]
        return Result(json.loads(done.stderr.splitlines()[-1]), counts, count_events or 0)

    def section(self, title, first):
        print(f"\n### {title}\n\n" + HEAD.format(first), flush=True)

    def row(self, name, result, bars=()):
        if result is None:
            self.missed.append(name)
            print(f"| {name} | over {self.patience} s | | | | | | | no |", flush=True)
            return
        verdicts = [bar.verdict(result) for bar in bars]
        self.missed += [f"{name}: {bar.text}: {said}" for bar, said in zip(bars, verdicts)
                        if said != "yes"]
        print(f"| {name} | {short(result.events_per_second)} | {result.megabytes:.0f} "
              f"| {short(result.rules_per_second)} | {result.bytes / 1000:.0f} "
              f"| {result.bytes_a_rule:.0f} | {short(result.hits)} "
              f"| {'; '.join(bar.text for bar in bars)} | {'; '.join(verdicts)} |", flush=True)


def line_count(path):
    with open(path, "rb") as file:
        return sum(1 for _ in file)


def first_line(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.splitlines()[0] if done.stdout else "unknown"


class Table:
    """Rows of text; what of their bars is missed goes on the list `missed`."""

    def __init__(self, title, columns, missed):
        self.missed = missed
        print(f"\n### {title}\n\n| {' | '.join(columns)} | bar | met |\n|---|"
              + "--:|" * (len(columns) - 1) + "---|---|", flush=True)

    def row(self, name, cells, result=None, bars=()):
        verdicts = [bar.verdict(result) for bar in bars]
        self.missed += [f"{name}: {bar.text}: {said}" for bar, said in zip(bars, verdicts)
                        if said != "yes"]
        print(f"| {' | '.join([name, *cells])} | {'; '.join(bar.text for bar in bars)} "
              f"| {'; '.join(verdicts)} |", flush=True)


def machine(used="one used"):
    text = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8")
    model = re.search(r"model name\s*: (.*)", text)
    return (f"{model.group(1) if model else platform.machine()}, "
            f"{text.count('processor')} processors, {used}; Linux {platform.release()}; "
            f"{first_line('cc', '--version')}; "
            f"{first_line('git', 'describe', '--always', '--dirty')}")
