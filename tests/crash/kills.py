"""kill -9 in the middle of the work, again and again: nothing that was acknowledged is lost.

    kills [--kills N] [--seed N] [--rate N] [--test NAME]..

    a         killed in mid-load, the sink is well; each time with an empty journal
    a-on      the same, 25 kills over one journal: kill, restart, go on
    b         the sink answers 503, everything is accepted, killed, the sink is well again, restart
    b-on      the same, 10 kills over one journal before the sink is well again

Every event that was answered with 2xx must reach the sink.  What was in flight at a kill may come
again: a delivery that the sink had, and whose end was not yet in the journal.  Each of those must
have the same Idempotency-Key, and nothing else may come twice.  Prints a table; exit status 1 if
it is not so.  --kills is for each test.
"""

import argparse
import contextlib
import dataclasses
import json
import pathlib
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time

from flow import children

from .stage import BUILD, PATIENCE, Stage, Wrong

DONE = 4  # of enum delivery_state
PREFIX = "kills"  # of ids; what follows is data.n
ROUND = 1000000  # more than are sent between two kills
TARGET_BITS = 16  # of a delivery's key in the journal


@dataclasses.dataclass
class Row:
    """What came of one test."""

    kills: int = 0
    acknowledged: int = 0
    lost: int = 0
    suspected: int = 0
    in_flight: int = 0
    duplicates: int = 0


class Run:
    """One journal from its beginning to the end, with kills in between."""

    def __init__(self, stage, rng, row, rate):
        self.stage = stage
        self.rng = rng
        self.row = row
        self.rate = rate
        self.round = 0
        stage.clear()
        stage.sink.answer(200)

    # The sender.

    def load(self, *options):
        self.round += 1
        self.file = self.stage.folder / f"acknowledged-{self.round}"
        return children.spawn(
            [BUILD / "tests/load/load", "--prefix", PREFIX, "--start", self.round * ROUND,
             "--size", 300,
             "--connections", self.rng.choice((16, 64)), "--acknowledged", self.file, *options,
             f"127.0.0.1:{self.stage.listen}/in"], stdout=subprocess.PIPE, text=True)

    def count(self, sender):
        """Waits for its end and takes over what it was answered."""
        told, _ = sender.communicate(timeout=PATIENCE)
        names = self.file.read_text().split()
        if json.loads(told)["acknowledged"] != len(names):
            raise Wrong("the sender does not know what was acknowledged")
        self.stage.acknowledged.update(names)
        self.row.acknowledged += len(names)
        self.file.unlink()

    # Kills.

    def start(self):
        self.stage.start()
        if not self.stage.until("somebody to listen", self.stage.listens):
            raise Wrong(f"it does not start: {self.stage.log_end()}")

    def kill_in_load(self):
        """Some of it in small requests, some in large ones."""
        self.start()
        events = self.rng.choice((1, 10, 50))
        sender = self.load("--rate", self.rate, "--events", events, "--count", "1M")
        self.stage.until("a first event", lambda: self.file.exists() and self.file.stat().st_size)
        time.sleep(self.rng.uniform(0, 1))
        self.kill()
        self.count(sender)

    def kill_with_backlog(self, most):
        self.start()
        self.count(self.load("--count", self.rng.randrange(100, most), "--reconnect", PATIENCE,
                             "--retry"))
        time.sleep(self.rng.uniform(0, 0.1))
        self.kill()

    def kill(self):
        if self.stage.ended():
            raise Wrong(f"it ended by itself: {self.stage.log_end()}")
        self.stage.kill()
        self.row.kills += 1
        sink = self.stage.sink
        sink.settle()
        sink.read()
        ended = self.ended_on_disk()
        self.row.in_flight += len(sink.fresh - ended)  # all of it is of this run of the router
        sink.fresh.clear()
        sink.ended |= ended

    def ended_on_disk(self):
        """The ids of the events whose delivery has its end in the journal."""
        with tempfile.TemporaryDirectory(dir=self.stage.folder) as copy:
            for file in self.stage.state.glob("journal.db*"):
                shutil.copy(file, copy)
            with contextlib.closing(sqlite3.connect(pathlib.Path(copy) / "journal.db")) as db:
                rows = db.execute(
                    "SELECT json_extract(CAST(event.data AS TEXT), '$.n') FROM delivery"
                    " JOIN event ON event.seq = delivery.key >> ? WHERE delivery.state = ?",
                    (TARGET_BITS, DONE)).fetchall()
        return {f"{PREFIX}-{n}" for n, in rows}

    # The end.

    def finish(self):
        """Started once more, it must deliver all that is owed, and stop when it is asked to."""
        self.start()
        self.drain()
        self.redrive()
        if self.stage.stop() != 0:
            raise Wrong(f"it does not stop well: {self.stage.log_end()}")
        sink = self.stage.sink
        sink.read()
        if sink.again:
            raise Wrong(f"came again though their end was in the journal: {sorted(sink.again)[:9]}")
        self.row.duplicates += self.stage.duplicates()
        self.row.lost += len(self.stage.acknowledged - set(sink.accepted))

    def drain(self):
        """As long as there is progress."""
        sink = self.stage.sink
        before, since = -1, time.monotonic()
        while not self.stage.delivered() and time.monotonic() < since + PATIENCE:
            if self.stage.ended():
                raise Wrong(f"it ended by itself: {self.stage.log_end()}")
            if len(sink.accepted) != before:
                before, since = len(sink.accepted), time.monotonic()
            time.sleep(0.02)

    def redrive(self):
        """What was under way at three kills in a row is suspected of them, and a dead letter."""
        stage = self.stage
        if stage.delivered():
            return
        letters = stage.lines("dlq", "list")
        if any("the process died" not in letter["why"] for letter in letters):
            raise Wrong(f"dead letters: {letters[:3]}")
        self.row.suspected += len(letters)
        if letters:
            stage.ask_verb(["dlq", "retry", "--all"])
            self.drain()
        missing = stage.acknowledged - set(stage.sink.accepted)
        for name in sorted(missing)[:9]:
            print(f"  lost: {name}: {self.tell(name)}", flush=True)

    def tell(self, name):
        """What the router knows of an event."""
        return [event for event in self.stage.lines("events", "list", "--limit", "1000000")
                if event["id"] == name]


def test_a(run, left):
    run.kill_in_load()


def test_a_on(run, left):
    for _ in range(min(25, left)):
        run.kill_in_load()


def test_b(run, left):
    run.stage.sink.answer(503)
    run.kill_with_backlog(3000)
    run.stage.sink.answer(200)


def test_b_on(run, left):
    run.stage.sink.answer(503)
    for _ in range(min(10, left)):
        run.kill_with_backlog(600)
    run.stage.sink.answer(200)


TESTS = {"a": test_a, "a-on": test_a_on, "b": test_b, "b-on": test_b_on}


def play(name, options, rng):
    row = Row()
    stage = Stage(root=None)
    try:
        while row.kills < options.kills:
            run = Run(stage, rng, row, options.rate)
            TESTS[name](run, options.kills - row.kills)
            run.finish()
    finally:
        stage.discard()
    return row


def main():
    parser = argparse.ArgumentParser(prog="kills", description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=7, help="of each test")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    parser.add_argument("--rate", type=int, default=10000, help="events a second")
    parser.add_argument("--test", action="append", choices=TESTS)
    options = parser.parse_args()
    print(f"kills: seed {options.seed}")
    print("test   kills  acknowledged  lost  suspected  in flight  duplicates", flush=True)
    good = True
    for name in options.test or TESTS:
        try:
            row = play(name, options, random.Random(f"{options.seed} {name}"))
            print(f"{name:<6} {row.kills:>5}  {row.acknowledged:>12}  {row.lost:>4}  "
                  f"{row.suspected:>9}  {row.in_flight:>9}  {row.duplicates:>10}", flush=True)
            good = good and row.lost == 0 and row.duplicates <= row.in_flight
        except Wrong as wrong:
            print(f"{name:<6} WRONG: {wrong}", flush=True)
            good = False
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
