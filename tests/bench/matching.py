"""tests/bench/match: the tables of docs/performance.md."""

import argparse
import json
import pathlib
import sys

from . import data, pathological, rules
from .report import Bar, Report, line_count, machine, short, speed

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BANK_BARS = {
    "EXACT": 5.3e6, "WILDCARD": 4.2e6, "PREFIX": 4.2e6, "PREFIX_EIC": 1.13e6, "SUFFIX": 1.11e6,
    "SUFFIX_EIC": 1.08e6, "EQUALS_IGNORE_CASE": 3.1e6, "NUMERIC": 0.58e6, "ANYTHING_BUT": 0.92e6,
    "ANYTHING_BUT_IGNORE_CASE": 0.62e6, "ANYTHING_BUT_PREFIX": 0.65e6,
    "ANYTHING_BUT_SUFFIX": 0.66e6, "ANYTHING_BUT_WILDCARD": 0.68e6, "COMPLEX_ARRAYS": 0.13e6,
}
COMPILED = Bar("≥ 1M rules/s", lambda r: r.rules_per_second, at_least=1e6)
SMALL = Bar("≤ 100 bytes a rule", lambda r: r.bytes_a_rule, at_most=100)
IN_A_TENTH = Bar("compiled in < 0.1 s",
                 lambda r: len(r.counts) / r.rules_per_second, at_most=0.1)


class Bench:
    def __init__(self, options):
        self.quick = options.quick
        self.shared = options.shared
        self.store = data.Store(options.data)
        self.report = Report(options.program, 60 if options.quick else 120)

    def measured(self, patterns, events, where=False):
        return self.report.run(patterns, events, where, line_count(events))

    def lots(self):
        count = 5000 if self.quick else 100000
        return self.store.lines(f"lots-{count}.jsonl", data.lots(count))

    def banks(self):
        """The published match counts must come out exactly."""
        table, generator = (self.shared / name for name in ("citylots2-banks.tsv",
                                                            "gen_citylots2_like.py"))
        if not table.exists() or not generator.exists():
            print(f"\nThe banks were left out: {table} and gen_citylots2_like.py beside it are "
                  "not there. Name the folder that holds them: --shared DIRECTORY.")
            return
        banks = {}
        for line in table.read_text(encoding="utf-8").splitlines():
            name, count, pattern = line.split("\t")
            banks.setdefault(name, []).append((int(count), pattern))
        events = self.store.citylots(generator)
        self.report.section("The banks: five rules each, 213,068 events of 885 bytes", "bank")
        if self.quick:
            banks = {name: banks[name] for name in ("EXACT", "COMPLEX_ARRAYS")}
        for name, bank in banks.items():
            self.bank(name, bank, events)

    def bank(self, name, bank, events):
        result = self.measured([pattern for _, pattern in bank], events)
        if result and result.counts != [count for count, _ in bank]:
            raise SystemExit(f"bank {name}: {result.counts} events matched, not "
                             f"{[count for count, _ in bank]}")
        self.report.row(name.lower().replace("_", " "), result, [speed(BANK_BARS[name])])

    def growth(self):
        """How the number of rules of one kind tells."""
        sizes = (1, 1000) if self.quick else (1, 10, 100, 1000, 10000, 100000)
        kinds = ("exact",) if self.quick else rules.KINDS
        for kind in kinds:
            more = (500,) if kind.startswith("wildcard") and not self.quick else ()
            one = None
            self.report.section(f"Number of rules: {kind}", "rules")
            for size in sorted(sizes + more):
                result = self.measured(rules.make(kind, size), self.lots(), kind == "expression")
                one = one or result
                self.report.row(f"{kind}, {size:,}", result, self.growth_bars(kind, size, one))

    @staticmethod
    def growth_bars(kind, size, one):
        fixed = {
            ("exact", 1): [speed(5.6e6)],
            ("exact", 1000): [COMPILED],
            ("exact", 10000): [COMPILED, SMALL],
            ("prefix", 1000): [speed(4e6)],
            ("wildcard `*NNN*N`", 500): [speed(2e6), IN_A_TENTH],
            ("wildcard `NN*NN*N`", 500): [speed(3e6)],
            ("numeric range", 1000): [speed(0.8e6)],
        }
        if (kind, size) != ("exact", 100000) or not one:
            return fixed.get((kind, size), [])
        return [speed(4e6), COMPILED, SMALL,
                Bar(f"≥ 0.8 of one rule ({short(one.events_per_second)})",
                    lambda r: r.events_per_second, at_least=0.8 * one.events_per_second)]

    def fields(self):
        """Where the wanted field stands, and how many are wanted."""
        self.report.section("Fields: events of 1 kB", "wanted")
        for fields in (100,) if self.quick else (10, 100):
            events = self.store.lines(f"flat-{fields}.jsonl",
                                      data.flat(5000 if self.quick else 50000, fields, 1000))
            for name, wanted in (("the first", [0]), ("the last", [fields - 1]),
                                 ("each by a rule", range(fields))):
                patterns = [json.dumps({f"f{i}": [{"prefix": "77"}]}) for i in wanted]
                self.report.row(f"{name} of {fields} fields", self.measured(patterns, events))

    def sizes(self):
        self.report.section("Size of the events: five exact rules on one field", "events")
        for size, count in (((10_000, 1000),) if self.quick else
                            ((1_000, 50000), (10_000, 10000), (256_000, 400))):
            events = self.store.lines(f"nested-{size}-{count}.jsonl", data.nested(count, size))
            for field in ("first", "last"):
                patterns = [json.dumps({field: [f"{n:02}"]}) for n in range(10, 15)]
                self.report.row(f"{size // 1000} kB, the {field} field",
                                self.measured(patterns, events))

    def hits(self):
        if self.quick:
            return
        self.report.section("Matching events: 1,000 exact rules", "matching")
        events = self.lots().read_text(encoding="utf-8").splitlines()
        there = sorted({json.loads(event)["properties"]["lot"] for event in events})
        none = [json.dumps({"properties": {"lot": [f"{i:07}x"]}}) for i in range(1000)]
        some = [json.dumps({"properties": {"lot": [there[i * len(there) // 1000]]}})
                for i in range(1000)]
        every = none[:-1] + [json.dumps({"properties": {"lot": [{"exists": True}]}})]
        all_of_them = [json.dumps({"properties": {"lot": [{"anything-but": f"{i:07}x"}]}})
                       for i in range(1000)]
        for name, patterns in (("0 % of the events", none), ("1 % of the events", some),
                               ("100 %, one rule each", every),
                               ("100 %, all 1,000 rules (anything-but)", all_of_them)):
            self.report.row(name, self.measured(patterns, self.lots()))

    def arrays(self):
        """Two fields of one element: only the last element has both."""
        self.report.section("Arrays: two fields of the same element", "array")
        for elements in (1000,) if self.quick else (10, 100, 1000, 10000):
            count = max(20, 100000 // elements)
            events = self.store.lines(f"scoped-{elements}-{count}.jsonl",
                                      data.scoped(count, elements))
            patterns = [json.dumps({"items": {"id": [elements - 1], "state": ["off"]}}),
                        json.dumps({"items": {"id": [0], "state": ["on"]}})]
            expressions = [f'any data.items (id == {elements - 1} and state == "off")',
                           'any data.items (id == 0 and state == "on")']
            self.report.row(f"{elements:,} elements, patterns", self.measured(patterns, events))
            self.report.row(f"{elements:,} elements, `any`",
                            self.measured(expressions, events, True))

    def pathological(self):
        """Nothing here may make time or memory explode."""
        self.report.section("Pathological", "case")
        cases = pathological.cases()
        for number, (name, patterns, lines) in enumerate(cases[1:3] if self.quick else cases):
            events = self.store.lines(f"pathological-{number}.jsonl", lines)
            where = not patterns[0].startswith("{")
            self.report.row(name, self.measured(patterns, events, where))


SECTIONS = ("banks", "growth", "fields", "sizes", "hits", "arrays", "pathological")


def options():
    parser = argparse.ArgumentParser(prog="tests/bench/match")
    parser.add_argument("--program", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--data", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--quick", action="store_true", help="less than a minute")
    parser.add_argument("--only", default=",".join(SECTIONS), help=", ".join(SECTIONS))
    parser.add_argument("--shared", type=pathlib.Path, default=ROOT.parent / "shared" / "matching",
                        help="the folder of citylots2-banks.tsv")
    return parser.parse_args()


def main():
    chosen = options()
    bench = Bench(chosen)
    print(machine())
    for name in chosen.only.split(","):
        if name not in SECTIONS:
            raise SystemExit(f"no section {name}; there are {', '.join(SECTIONS)}")
        getattr(bench, name)()
    missed = bench.report.missed
    print("\nAll bars are met." if not missed else "\nMissed:\n" + "\n".join(f"* {m}" for m in missed))
    return 0


if __name__ == "__main__":
    sys.exit(main())
