"""The n-th call of a kind fails, for every n: no crash, nothing lost, and it is said why.

    nth [--scenario NAME].. [--kind NAME].. [--error N] [--most N] [--seed N] [--jobs N]
        [--number N] [-v]

For each scenario and each kind of call it first counts the calls, then plays the scenario again
for every number n (with --most, for at most so many: each k-th, beginning where the seed says),
with the n-th call failing.  A router may survive that, or end with one of its exit codes and a
sentence.  What ended is started again without a fault.  In the end everything that was
acknowledged must have reached the sink, each event always with the same Idempotency-Key, and
SIGTERM must end the router with 0.

One line for each scenario and kind tells what came of it; exit status 1 if anything did that must
not.  --number plays one and shows its log, and the stack of the call.
"""

import argparse
import collections
import errno
import multiprocessing
import os
import pathlib
import random
import sys
import tempfile

from . import page
from .scenarios import SCENARIOS
from .stage import BUILD, Wrong, check_end

# Kinds of calls and how they fail: 0 is the usual errno of the call.
WAYS = [("memory", 0), ("thread", 0), ("open", errno.EMFILE), ("open", errno.EACCES),
        ("read", errno.EIO), ("read", page.HALF), ("write", errno.EIO), ("write", errno.ENOSPC),
        ("write", page.HALF), ("sync", errno.EIO), ("socket", 0), ("receive", errno.ECONNRESET),
        ("receive", page.HALF), ("send", errno.ECONNRESET), ("send", page.HALF)]


def name_of(error):
    return "half" if error == page.HALF else errno.errorcode[error] if error else "usual"


class Tally:
    """What came of some numbers."""

    def __init__(self):
        self.outcomes = collections.Counter()
        self.wrong = []
        self.played = self.failed = self.duplicates = 0

    def add(self, other):
        self.outcomes += other.outcomes
        self.wrong += other.wrong
        self.played += other.played
        self.failed += other.failed
        self.duplicates += other.duplicates


def play(scenario, kind, error, number):
    """One play, and what came of it in a few words."""
    stage = scenario.stage
    scenario.note = None
    scenario.page.set(kind, number, error, 0)
    try:
        whole = scenario.play()
        outcome = None if scenario.lasting else check_end(stage, whole)
        if outcome:
            stage.start()
            if not scenario.finish():
                raise Wrong(f"{outcome}; then it does not start again")
            if again := check_end(stage, True):
                raise Wrong(f"{outcome}; started again it came to {again}")
        if not stage.delivered():
            lost = sorted(stage.acknowledged - set(stage.sink.accepted))
            raise Wrong(f"lost {lost}: {outcome}")
        return outcome or scenario.note or "went on", stage.duplicates()
    finally:
        if not scenario.lasting:
            stage.kill()


def numbers(count, most, seed):
    step = -(-count // most) if most else 1
    return range(1 + seed % step, count + 1, step) if count else range(0)


def play_all(scenario, kind, error, chosen):
    tally = Tally()
    for n in chosen:
        tally.played += 1
        try:
            outcome, duplicates = play(scenario, kind, error, n)
            tally.outcomes[outcome] += 1
            tally.duplicates += duplicates
        except Wrong as wrong:
            tally.wrong.append((n, f"{scenario.page.failed()}: {wrong}"))
        tally.failed += scenario.page.failed() is not None
    return tally


def make(name, library, folder):
    return SCENARIOS[name](library, page.Page(folder / f"page-{name}-{os.getpid()}"))


def count_calls(scenario):
    """How often each kind is called; a play without a fault must be clean."""
    outcome, _ = play(scenario, "memory", 0, 0)
    if outcome != "went on":
        raise Wrong(f"without a fault: {outcome}")
    return scenario.page.counted()


def work(name, folder, options, part, results):
    """In a child process: each `jobs`-th of the numbers."""
    scenario = make(name, options.library, folder)
    try:
        counts = count_calls(scenario)
        for kind, error in options.ways:
            chosen = numbers(counts[kind], options.most, options.seed)
            results.put((kind, error, counts[kind],
                         play_all(scenario, kind, error, chosen[part::options.jobs])))
        results.put(None)
    except BaseException as problem:
        results.put(problem)
    finally:
        scenario.discard()


def gather(results, jobs):
    """By kind and way, in order: the number of calls and the tally."""
    found = {}
    while jobs:
        result = results.get()
        if isinstance(result, BaseException):
            raise result
        if result is None:
            jobs -= 1
            continue
        kind, error, count, tally = result
        known = found.setdefault((kind, error), [0, Tally()])
        known[0] = max(known[0], count)
        known[1].add(tally)
    return found


def play_scenario(name, folder, options):
    results = multiprocessing.Queue()
    children = [multiprocessing.Process(target=work, args=(name, folder, options, part, results))
                for part in range(options.jobs)]
    for child in children:
        child.start()
    try:
        return gather(results, options.jobs)
    finally:
        for child in children:
            child.join()


def report(name, found, verbose):
    good = True
    for (kind, error), (count, tally) in found.items():
        ends = collections.Counter()
        for outcome, times in tally.outcomes.items():
            ends[outcome.partition(":")[0]] += times
        told = ", ".join(f"{end} {times}" for end, times in sorted(ends.items()))
        print(f"{name:<8} {kind:<8} {name_of(error):<10} {count:>6} calls {tally.played:>6} played "
              f"{tally.failed:>6} failed  {told or '-'}; {tally.duplicates} duplicates, "
              f"{len(tally.wrong)} wrong", flush=True)
        if verbose:
            for outcome, times in tally.outcomes.most_common():
                print(f"      {times:>6}  {outcome}")
        for n, what in sorted(tally.wrong)[:40]:
            print(f"    WRONG  --scenario {name} --kind {kind} --error {error} --number {n}: "
                  f"{what}", flush=True)
        good = good and not tally.wrong
    return good


def play_one(name, folder, options):
    (kind, error), = options.ways
    scenario = make(name, options.library, folder)
    scenario.trace = folder / "trace"
    try:
        print(play(scenario, kind, error, options.number)[0])
    finally:
        print(scenario.stage.log.read_text(errors="replace"))
        if scenario.trace.exists():
            print(scenario.trace.read_text())
        scenario.discard()


def read_options():
    parser = argparse.ArgumentParser(prog="nth", description=__doc__.partition("\n")[0])
    parser.add_argument("--scenario", action="append", choices=SCENARIOS)
    parser.add_argument("--kind", action="append", choices=page.KINDS)
    parser.add_argument("--error", type=int, help="only this way to fail")
    parser.add_argument("--most", type=int, default=0, help="numbers of one kind; 0: all")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--number", type=int, help="play this one alone, and show everything")
    parser.add_argument("-v", dest="verbose", action="store_true", help="list all outcomes")
    options = parser.parse_args()
    options.library = (BUILD / "tests/crash/libfault.so").resolve()
    options.ways = [(kind, error) for kind, error in WAYS
                    if kind in (options.kind or page.KINDS) and options.error in (None, error)]
    return options


def main():
    options = read_options()
    good = True
    with tempfile.TemporaryDirectory(prefix="pointsman-nth-") as folder:
        for name in options.scenario or SCENARIOS:
            if options.number is not None:
                play_one(name, pathlib.Path(folder), options)
                continue
            found = play_scenario(name, pathlib.Path(folder), options)
            good = report(name, found, options.verbose) and good
    print(f"nth: seed {options.seed}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
