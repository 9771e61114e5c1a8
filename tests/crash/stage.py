"""One router between a sender and a sink, quick to set up and to throw away.

A Stage lives for many runs: its sink and its ports stay, its state directory is new each time.
"""

import collections
import http.client
import json
import os
import pathlib
import re
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from flow import children
from flow.router import PLUGINS, PROGRAM, SLOW, free_ports

BUILD = pathlib.Path(os.environ.get("POINTSMAN_BUILD", "build"))
PATIENCE = 35 * SLOW
MEMORY = pathlib.Path("/dev/shm")

CONFIGURATION = """[pointsman]
state = {state}
admin = unix:{admin}
listen = 127.0.0.1:{listen}
plugins = {plugins}
min-free = 1M
{sources}
[sink out]
plugin = http
url = http://127.0.0.1:{sink}/
retry = 1h, 5ms..40ms
[rule all]
on = *
do = out
"""
HTTP_IN = "[source in]\nplugin = http-in\n"

CODES = {69, 70, 71, 73, 74, 75, 78}  # of docs/operations.md, "Exit status"


class Wrong(AssertionError):
    """What must not happen, whatever failed."""


def last_words(log):
    """The last line about trouble, without what differs from run to run."""
    lines = [line for line in log.splitlines()
             if re.search(r"(Z error |Z warn |^pointsman: |: cannot )", line)]
    line = re.sub(r"^\S+Z (error|warn) +", "", lines[-1]) if lines else ""
    return re.sub(r"\d+", "#", re.sub(r"/\S*/", "", line))[:150]


def tell_end(code, log):
    """None if a program ended well; else how, if it may end so."""
    words = last_words(log)
    if found := re.search(r".*(Sanitizer|runtime error:).*", log):
        raise Wrong(found[0])
    if code < 0:
        raise Wrong(f"signal {-code}")
    if code != 0 and code not in CODES:
        raise Wrong(f"exit code {code}: {words}")
    if code != 0 and not words:
        raise Wrong(f"exit code {code} without a word")
    return f"exit {code}: {words}" if code else None


def check_end(stage, whole):
    """tell_end() of the router, asked to stop if it still runs; `whole`: it did all it had to."""
    asked = not stage.ended()
    end = tell_end(stage.stop(), stage.log.read_text(errors="replace"))
    if not end and not (asked and whole):
        raise Wrong("it ended by itself as though it had been asked to")
    return end


class Sink:
    """tests/load/sink as a child; what it has seen is read from its record."""

    def __init__(self, folder):
        self.record = folder / "record"
        self.process = children.spawn([BUILD / "tests/load/sink", "--record", self.record],
                                      stdout=subprocess.PIPE, text=True)
        self.port = json.loads(self.process.stdout.readline())["port"]
        self.file = open(self.record)
        self.rest = ""  # of a line that is being written
        self.forget()

    def forget(self):
        """What came so far is no longer told."""
        self.begin()
        self.read()
        self.begin()
        if self.record.stat().st_size > 1 << 20:
            os.truncate(self.record, 0)
            self.file.seek(0)

    def begin(self):
        self.accepted = collections.Counter()
        self.refused = 0
        self.keys = collections.defaultdict(set)
        self.fresh = set()  # accepted since whoever asks emptied it
        self.ended = set()  # which must not come again
        self.again = set()  # those of them that did

    def read(self):
        *lines, self.rest = (self.rest + self.file.read()).split("\n")
        for line in lines:
            _, status, key, name = line.split("\t")
            self.keys[name].add(key)
            if status.startswith("2"):
                self.accepted[name] += 1
                self.fresh.add(name)
                if name in self.ended:
                    self.again.add(name)
            else:
                self.refused += 1

    def answer(self, status):
        self.control("POST", f"/control?status={status}")

    def settle(self):
        """What was sent before this call is in the record after it: the sink takes what is there
        in turns, and the second question comes in a later one."""
        self.control("GET", "/control/stats")
        self.control("GET", "/control/stats")

    def control(self, method, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        connection.request(method, path)
        connection.getresponse().read()
        connection.close()

    def stop(self):
        children.end(self.process, 10)
        self.process.stdout.close()
        self.file.close()


class Stage:
    """`root` is where its files are: None, on a disk."""

    def __init__(self, sources=HTTP_IN, environment=None, root=MEMORY):
        root = root if root and os.access(root, os.W_OK) else None
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="pointsman-", dir=root))
        self.sink = Sink(self.folder)
        self.listen, = free_ports(1)
        self.state = self.folder / "state"
        self.log = self.folder / "log"
        self.config = self.folder / "pointsman.ini"
        self.config.write_text(CONFIGURATION.format(
            state=self.state, admin=self.folder / "admin", listen=self.listen, plugins=PLUGINS,
            sources=sources, sink=self.sink.port))
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        self.environment = {**inherited, "HOME": str(self.folder), **(environment or {})}
        self.process = None
        self.acknowledged = set()

    def discard(self):
        self.kill()
        self.sink.stop()
        shutil.rmtree(self.folder)

    def clear(self, state=None):
        """As though nothing had ever been here, or with a copy of the directory `state`."""
        self.kill()
        shutil.rmtree(self.state, ignore_errors=True)
        if state:
            shutil.copytree(state, self.state)
        self.log.write_bytes(b"")
        self.acknowledged = set()
        self.sink.forget()

    # The router.

    def command(self, verb, *words):
        return [PROGRAM, verb, "-c", self.config, *words]

    def start(self, further=None):
        self.log_before = self.log.stat().st_size if self.log.exists() else 0
        with open(self.log, "ab") as log:
            self.process = children.spawn(
                self.command("run"), env={**self.environment, **(further or {})},
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def listens(self):
        try:
            socket.create_connection(("127.0.0.1", self.listen), timeout=PATIENCE).close()
            return True
        except OSError:
            return False

    def log_end(self):
        return self.log.read_text(errors="replace")[-1500:]

    def is_ready(self):
        return b" ready: " in self.log.read_bytes()[self.log_before:]

    def ended(self):
        return self.process.poll() is not None

    def wait(self, patience=PATIENCE):
        """Its exit code; None: it still runs."""
        if self.ended():
            return self.process.returncode
        handle = os.pidfd_open(self.process.pid)
        try:
            select.select([handle], [], [], patience)
        finally:
            os.close(handle)
        return self.process.poll()

    def stop(self):
        """Its exit code, after SIGTERM if it still runs."""
        if not self.ended():
            self.process.send_signal(signal.SIGTERM)
        code = self.wait()
        if code is None:
            self.kill()
            raise Wrong("SIGTERM does not end it")
        self.process = None
        return code

    def kill(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def until(self, what, look):
        """False if the router ended meanwhile."""
        end = time.monotonic() + PATIENCE
        while not look():
            if self.ended():
                return False
            if time.monotonic() > end:
                raise Wrong(f"waited {PATIENCE:g} s for {what}, in vain")
            time.sleep(0.001)
        return True

    def ask_verb(self, words, further=None):
        """The exit code of a verb, and what it said of trouble."""
        try:
            done = subprocess.run(self.command(*words), env={**self.environment, **(further or {})},
                                  stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                  stderr=subprocess.PIPE, text=True, timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            raise Wrong(f"{words} does not end") from None
        return done.returncode, done.stderr

    def lines(self, *words):
        """The objects a verb prints."""
        done = subprocess.run(self.command(*words, "--json"), env=self.environment, check=True,
                              stdout=subprocess.PIPE, text=True, timeout=PATIENCE)
        return [json.loads(line) for line in done.stdout.splitlines()]

    # The sender.

    def send(self, names, lines=False):
        """Post these events in one request, until it is accepted; False if the router ended."""
        events = [json.dumps({"specversion": "1.0", "id": name, "source": "/stage",
                              "type": "stage.event", "data": {"name": name}}) for name in names]
        kind = "x-ndjson" if lines else "cloudevents+json"
        body = "\n".join(events).encode()
        head = (f"POST /in HTTP/1.1\r\nHost: stage\r\nContent-Type: application/{kind}\r\n"
                f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n").encode()
        if not self.until(f"{names} to be accepted", lambda: self.ask(head + body) == 202):
            return False
        self.acknowledged.update(names)
        return True

    def ask(self, request):
        """The status it is answered with; None: there was no answer."""
        try:
            with socket.create_connection(("127.0.0.1", self.listen), timeout=PATIENCE) as peer:
                peer.sendall(request)
                answer = b""
                while b"\r\n" not in answer and (more := peer.recv(4096)):
                    answer += more
        except OSError:
            return None
        return int(answer.split()[1]) if b"\r\n" in answer else None

    # The end.

    def delivered(self):
        accepted = self.sink.accepted
        self.sink.read()
        return len(accepted) >= len(self.acknowledged) and self.acknowledged <= accepted.keys()

    def until_delivered(self):
        return self.until("what was accepted to be delivered", self.delivered)

    def duplicates(self):
        """How many deliveries came again; one of the same event must have the same key."""
        self.sink.read()
        for name, keys in self.sink.keys.items():
            if len(keys) != 1:
                raise Wrong(f"{name} was delivered with different keys: {sorted(keys)}")
        return sum(count - 1 for count in self.sink.accepted.values() if count > 1)
