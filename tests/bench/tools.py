"""The programs of tests/load/ as Python calls."""

import http.client
import json
import os
import pathlib
import subprocess

from flow import children

TOOLS = pathlib.Path(os.environ.get("POINTSMAN_LOAD_TOOLS", "."))


def asked(program, *words):
    """The object that a tool prints at its end."""
    command = [str(word) for word in (TOOLS / program, *words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)}: exit {done.returncode}\n{done.stderr}")
    return json.loads(done.stdout)


def load(address, **options):
    """tests/load/load.c tells the options and what comes back."""
    return asked("load", *(f"--{name}={value}" for name, value in options.items()), address)


def disk(folder, size, seconds):
    return asked("disk", folder, size, seconds)


def durable(folder, events, seconds):
    return asked("durable", folder, events, seconds)


class Sink:
    """tests/load/sink.c"""

    def __init__(self):
        self.process = children.spawn([TOOLS / "sink"], stdout=subprocess.PIPE, text=True)
        self.port = json.loads(self.process.stdout.readline())["port"]

    def ask(self, method, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path)
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    def stats(self):
        return self.ask("GET", "/control/stats")

    def set(self, **keys):
        return self.ask("POST", "/control?" + "&".join(f"{k}={v}" for k, v in keys.items()))

    def end(self):
        children.end(self.process, 10)
        self.process.stdout.close()
