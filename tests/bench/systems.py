"""Systems that do one job: take events in, route each to one of the sinks."""

import contextlib
import functools
import http.client
import os
import pathlib
import re
import socket
import subprocess
import tempfile
import time

from flow import children
from flow.router import free_ports
from flow.waiting import until

PROGRAM = os.environ.get("POINTSMAN_PROGRAM", "pointsman")
PLUGINS = os.environ.get("POINTSMAN_PLUGINS", "")
TICKS = os.sysconf("SC_CLK_TCK")
# What the sink `http` is told to send many events in one request, where it can.
BATCHED_OUT = "batch = 100"


class System:
    """A program in a folder of its own, and what the kernel says about it."""

    name = "nothing"
    way_in = "HTTP"
    events = 1  # in each request
    form = {}   # further options of the load

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.port, = free_ports(1)
        self.address = f"127.0.0.1:{self.port}"
        self.process = None

    def configure(self, sinks):
        raise NotImplementedError

    def command(self):
        raise NotImplementedError

    environment = None

    def is_ready(self):
        with contextlib.closing(socket.socket()) as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def start(self):
        """Milliseconds until it was ready."""
        begin = time.monotonic()
        with open(self.folder / "log", "ab") as log:
            self.process = children.spawn(self.command(), env=self.environment, cwd=self.folder,
                                          stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        until(f"{self.name} to be ready", self.looks_ready, 600, most=0.001)
        return (time.monotonic() - begin) * 1000

    def looks_ready(self):
        if self.process.poll() is not None:
            log = (self.folder / "log").read_text(errors="replace")
            raise SystemExit(f"{self.name}: exit {self.process.returncode}\n{log[-4000:]}")
        return self.is_ready()

    def stop(self):
        if self.process:
            children.end(self.process, 60)
        self.process = None

    def kill(self):
        self.process.kill()
        self.process.wait()

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2]
        return sum(int(ticks) for ticks in fields.split()[11:13]) / TICKS

    def megabytes(self, what):
        """`VmRSS` now, `VmHWM` at its most."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(rf"{what}:\s+(\d+) kB", status)[1]) / 1024


@functools.cache
def knows_batches():
    with tempfile.NamedTemporaryFile("w", suffix=".ini") as file:
        file.write(f"[pointsman]\nplugins = {PLUGINS}\n[source in]\nplugin = http-in\n"
                   "[sink a]\nplugin = http\nurl = http://127.0.0.1:1/\n"
                   f"{BATCHED_OUT}\n[rule a]\ndo = a\n")
        file.flush()
        return subprocess.run([PROGRAM, "check", "-c", file.name], capture_output=True,
                              check=False).returncode == 0


class Pointsman(System):
    name = "pointsman, one event a request"

    def __init__(self, folder, rules=None, concurrency=32, settings=None):
        super().__init__(folder)
        self.metrics, = free_ports(1)
        self.address += "/in"
        self.rules = rules
        self.concurrency = concurrency
        self.settings = settings or {}

    def command(self):
        return [PROGRAM, "run", "-c", self.folder / "pointsman.ini"]

    def configure(self, sinks):
        keys = {"state": self.folder / "state", "admin": f"unix:{self.folder / 'admin'}",
                "listen": f"127.0.0.1:{self.port}", "metrics": f"127.0.0.1:{self.metrics}",
                "plugins": PLUGINS, **self.settings}
        text = ["[pointsman]", *(f"{key} = {value}" for key, value in keys.items()),
                "[source in]", "plugin = http-in"]
        for name, url in sinks.items():
            text += [f"[sink {name}]", "plugin = http", f"url = {url}",
                     f"concurrency = {self.calls_at_once()}", "retry = 1d, 50ms..200ms",
                     *self.sink_keys()]
        text += self.rules or by_route(sinks)
        (self.folder / "pointsman.ini").write_text("\n".join(text) + "\n")

    def calls_at_once(self):
        return self.concurrency

    def sink_keys(self):
        return []

    def is_ready(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.metrics, timeout=600)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()


class PointsmanBatches(Pointsman):
    """Many events a request; out too, where the sink can."""

    name = "pointsman, 100 events a request"
    events = 100

    def calls_at_once(self):
        return min(self.concurrency, 16) if knows_batches() else self.concurrency

    def sink_keys(self):
        return [BATCHED_OUT] if knows_batches() else []


def rule(name, condition, target):
    return [f"[rule {name}]", "on = load.event", f"where = {condition}", f"do = {target}"]


def by_route(sinks):
    """A rule for each sink: the first has the events whose data.route is a."""
    return [line for name in sinks for line in rule(name, f'data.route == "{name}"', name)]
