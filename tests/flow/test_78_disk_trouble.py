"""A disk that is full, broken, read-only or not ours; a journal that somebody spoiled."""

import contextlib
import http.client
import json
import os
import sqlite3
import subprocess
import unittest

from flow.flow import CLOUDEVENT, Flow
from flow.parts import IN, event, rule, sink
from flow.router import SLOW

FAULTY_DISK = os.environ.get("POINTSMAN_FAULTY_DISK", "")
EVENTS = IN + sink(more='retry = 1h, 50ms..200ms\nbody = {"number": "{{ data.number }}"}') + rule(
    "all", "order.*", "out")
ROOM = "x" * 200_000


@contextlib.contextmanager
def small_disk(path, size, options=""):
    """A file system of that size at `path`."""
    path.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700{options}", "pointsman",
                    path], check=True)
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", path], check=True)


def may_mount():
    done = subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "pointsman", "/mnt"],
                          capture_output=True)
    return done.returncode == 0


def fill(path, leave):
    """Take all room on the disk of `path` but so many bytes; answers the file that has it."""
    room = os.statvfs(path)
    ballast = path / "ballast"
    with open(ballast, "wb") as file:
        os.posix_fallocate(file.fileno(), 0, room.f_bavail * room.f_frsize - leave)
    return ballast


def without_log(state):
    """Move what is in the journal's log into the journal; answers its path."""
    connection = sqlite3.connect(state / "journal.db")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return state / "journal.db"


class Disk(unittest.TestCase):
    def answer(self, flow, body, timeout=10):
        """(status, headers) of an event; (0, {}) if there is no answer in that time."""
        peer = http.client.HTTPConnection("127.0.0.1", flow.listen, timeout=timeout * SLOW)
        try:
            peer.request("POST", "/in", json.dumps(body), CLOUDEVENT)
            found = peer.getresponse()
            return found.status, dict(found.getheaders())
        except TimeoutError:
            return 0, {}
        finally:
            peer.close()

    def expect_delivered(self, flow, numbers):
        """Each of them, and nothing else, whatever came twice."""
        flow.until(f"{len(numbers)} deliveries", lambda: numbers <= self.delivered(flow))
        self.assertEqual(numbers, self.delivered(flow))

    @staticmethod
    def delivered(flow):
        return {int(body["number"]) for body in flow.bodies()}

    def refused_to_start(self, flow, code, *words):
        done = subprocess.run(flow.arguments("run"), env=flow.environment, cwd=flow.directory,
                              capture_output=True, text=True, timeout=30 * SLOW)
        self.assertEqual(code, done.returncode, done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)


@unittest.skipUnless(may_mount(), "only root may mount a small disk")
class SmallDisk(Disk):
    def test_a_full_disk_that_is_freed_loses_nothing(self):
        with Flow(self, EVENTS, settings={"min-free": "1k"}, start=False) as flow, \
                small_disk(flow.directory / "state", "32m") as state:
            flow.start()
            flow.receive(event(1))
            self.expect_delivered(flow, {1})
            ballast = fill(state, 500_000)
            accepted, number, status = {1}, 2, 202
            while status != 503 and number < 100: # the first without room waits for its answer
                status, headers = self.answer(flow, event(number, room=ROOM), timeout=2)
                if status == 202:
                    accepted.add(number)
                number += 1
            self.assertEqual((503, True), (status, "Retry-After" in headers))
            self.assertEqual(503, flow.readiness()[0])
            ballast.unlink()
            flow.until("readiness", flow.is_ready)
            flow.receive(event(number))
            flow.settled()
            self.assertLessEqual(accepted | {number}, self.delivered(flow))
            self.assertIn("no room on the disk", flow.log())
            self.assertIn("room again", flow.log())

    def test_below_min_free_intake_stops_and_deliveries_go_on(self):
        with Flow(self, EVENTS, settings={"min-free": "8M"}, start=False) as flow, \
                small_disk(flow.directory / "state", "48m") as state:
            flow.start()
            trouble = flow.cloud.trouble("sink", status=503)
            flow.receive(event(1), event(2))
            flow.until("an attempt", lambda: flow.cloud.seen("sink"))
            ballast = fill(state, 4_000_000)
            flow.until("a stop", lambda: flow.readiness()[0] == 503)
            status, headers = self.answer(flow, event(4))
            self.assertEqual((503, True), (status, "Retry-After" in headers))
            status, why = flow.readiness()
            self.assertEqual(503, status)
            self.assertIn("min-free", why)
            flow.cloud.calm()
            self.expect_delivered(flow, {1, 2})
            ballast.unlink()
            flow.until("readiness", flow.is_ready)
            flow.receive(event(5))
            self.expect_delivered(flow, {1, 2, 5})

    def test_a_read_only_directory_is_refused_and_named(self):
        with Flow(self, EVENTS, start=False) as flow, \
                small_disk(flow.directory / "state", "8m", ",ro") as state:
            self.refused_to_start(flow, 73, str(state), "Read-only file system")

    def test_a_disk_without_any_room_is_refused_and_named(self):
        with Flow(self, EVENTS, start=False) as flow, \
                small_disk(flow.directory / "state", "1m") as state:
            fill(state, 0)
            self.refused_to_start(flow, 73, str(state), "full")


class Bounded(Disk):
    def test_max_journal_is_reached_and_freed_by_deliveries(self):
        with Flow(self, EVENTS, settings={"max-journal": "32M", "keep": "1s, max 1M"}) as flow:
            flow.cloud.trouble("sink", status=503)
            accepted = set()
            for number in range(1, 200):
                status, headers = self.answer(flow, event(number, room=ROOM * 4))
                if status != 202:
                    break
                accepted.add(number)
            self.assertEqual((503, True), (status, "Retry-After" in headers))
            self.assertIn("max-journal", flow.readiness()[1])
            flow.cloud.calm()
            flow.settled()
            flow.until("readiness", flow.is_ready, patience=40)
            flow.receive(event(1000))
            self.expect_delivered(flow, accepted | {1000})


@unittest.skipUnless(FAULTY_DISK, "POINTSMAN_FAULTY_DISK is not set")
class BrokenDisk(Disk):
    def ends_with_74(self, what):
        with Flow(self, EVENTS, start=False) as flow:
            trigger = flow.directory / "fail"
            flow.environment.update(LD_PRELOAD=FAULTY_DISK, FAULTY_DISK=str(trigger))
            flow.start()
            flow.cloud.trouble("sink", status=503)
            flow.receive(event(1), event(2))
            flow.until("an attempt", lambda: flow.cloud.seen("sink"))
            trigger.write_text(what)
            with contextlib.suppress(OSError, http.client.HTTPException):
                self.assertNotEqual(202, self.answer(flow, event(3))[0])
            self.assertEqual(74, flow.process.wait(20 * SLOW))
            self.assertFalse((flow.directory / "fail.after").exists(), "it wrote on")
            self.assertIn("nothing more is written", flow.log())
            flow.cloud.calm()
            del flow.environment["LD_PRELOAD"]
            flow.start()
            flow.receive(event(4))
            flow.settled()
            delivered = self.delivered(flow)
            self.assertLessEqual({1, 2, 4}, delivered)

    def test_after_a_failed_write_nothing_is_written(self):
        self.ends_with_74("write")

    def test_after_a_failed_sync_nothing_is_written_though_later_ones_succeed(self):
        self.ends_with_74("sync")


class SpoiledJournal(Disk):
    """The process is killed with duties open, and then somebody is at its files."""

    @contextlib.contextmanager
    def spoiled(self, spoil, *, alarm):
        with Flow(self, EVENTS) as flow:
            flow.cloud.trouble("sink", status=503)
            flow.receive(*(event(n, room="x" * 3000) for n in range(1, 9)))
            flow.kill()
            spoil(flow.directory / "state")
            flow.cloud.calm()
            flow.start(ready=not alarm)
            if alarm:
                self.acknowledge(flow)
            flow.receive(event(100))
            flow.settled()
            self.assertIn(100, self.delivered(flow))
            yield flow

    def acknowledge(self, flow):
        """Said in an event, in the log and by /readyz; the file is kept, and it is asked for."""
        lost = flow.expect_events("pointsman.journal.damaged")
        self.assertEqual(1, len(lost))
        status, why = flow.readiness()
        self.assertEqual(503, status)
        self.assertIn("damaged", why)
        self.assertTrue(list((flow.directory / "state").glob("journal.db.damaged-*")))
        flow.cli("status", "--acknowledge")
        flow.until("readiness", flow.is_ready)

    def test_a_journal_cut_in_half_is_set_aside(self):
        def halve(state):
            path = without_log(state)
            os.truncate(path, path.stat().st_size // 2)
        with self.spoiled(halve, alarm=True):
            pass

    def test_a_text_in_its_place_is_set_aside(self):
        def write(state):
            without_log(state).write_text("Dear diary,\n" * 1000)
        with self.spoiled(write, alarm=True) as flow:
            kept = next((flow.directory / "state").glob("journal.db.damaged-*[0-9]"))
            self.assertTrue(kept.read_text().startswith("Dear diary"))

    def test_a_log_cut_in_half_is_read_to_its_end(self):
        def halve(state):
            log = state / "journal.db-wal"
            os.truncate(log, log.stat().st_size // 2)
        with self.spoiled(halve, alarm=False) as flow:
            self.assertIn(1, self.delivered(flow))

    def test_garbage_behind_the_log_is_no_part_of_it(self):
        def append(state):
            with open(state / "journal.db-wal", "ab") as log:
                log.write(os.urandom(50_000))
        with self.spoiled(append, alarm=False) as flow:
            self.expect_delivered(flow, {*range(1, 9), 100})

    def test_a_log_of_garbage_is_no_log(self):
        def replace(state):
            (state / "journal.db-wal").write_bytes(os.urandom(50_000))
        with self.spoiled(replace, alarm=False):
            pass

    def test_a_journal_of_a_newer_program_is_left_alone(self):
        with Flow(self, EVENTS) as flow:
            flow.receive(event(1))
            flow.settled()
            flow.stop()
            path = flow.directory / "state" / "journal.db"
            connection = sqlite3.connect(path)
            connection.execute("PRAGMA user_version = 99")
            connection.close()
            before = path.read_bytes()
            self.refused_to_start(flow, 73, "newer pointsman", "99")
            self.assertEqual(before, path.read_bytes())


class TwoDaemons(Disk):
    def test_the_second_is_refused_and_names_the_first(self):
        with Flow(self, EVENTS) as flow, Flow(self, EVENTS, start=False) as second:
            second.configure(EVENTS, {"state": flow.directory / "state"})
            self.refused_to_start(second, 73, f"process {flow.process.pid}",
                                  str(flow.directory / "state"))
            flow.receive(event(1))
            self.expect_delivered(flow, {1})


if __name__ == "__main__":
    unittest.main()
