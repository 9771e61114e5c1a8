"""The real program with its files, its environment and its cloud: start, stop, kill, ask.

Standard library only, so that the demo can use it anywhere.
"""

import http.client
import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile

from . import children
from .standin import KEY_ID, SECRET, StandIn
from .waiting import until

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PROGRAM = os.environ.get("POINTSMAN_PROGRAM", "pointsman")
PLUGINS = os.environ.get("POINTSMAN_PLUGINS", "")
SANITIZED = "POINTSMAN_SLOWNESS" in os.environ
SLOW = float(os.environ.get("POINTSMAN_SLOWNESS", "1"))  # a sanitized build takes its time
START = 20 * SLOW
STOP = 20 * SLOW

WEBHOOK_SECRET = "hook-secret-of-tests"
SLACK_PATH = "/slack/services/T0/B0/slack-secret-of-tests"


def free_ports(count):
    """Ports nobody listens on just now."""
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def sanitizer(option):
    """The environment with a further option for the address sanitizer, if it is there."""
    return {"ASAN_OPTIONS": f"{os.environ.get('ASAN_OPTIONS', '')}:{option}".lstrip(":")}


class Ended(AssertionError):
    """The program, or a verb of it, ended as it should not."""


class Router:
    """`configuration` is all sections but [pointsman], of which `settings` adds keys; without
    one, `paths` name configuration of its own, fed from the environment."""

    def __init__(self, configuration=None, *, settings=None, paths=None, files=None,
                 environment=None, credentials=None):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="pointsman-"))
        self.cloud = StandIn()
        self.listen, self.metrics = free_ports(2)
        self.admin = self.directory / "admin.sock"
        self.log_path = self.directory / "log"
        self.process = None
        self.limits = {}  # of the program, as `resource` names them
        self.patience = 30  # with an answer of it
        self.paths = paths or [self.directory / "conf"]
        for name, text in (files or {}).items():
            self.write(name, text)
        if configuration is not None:
            self.configure(configuration, settings)
        self.environment = self.make_environment(environment or {}, credentials or {})

    def make_environment(self, further, credentials):
        folder = self.directory / "credentials"
        folder.mkdir()
        given = {"slack-url": self.cloud.address + SLACK_PATH, "github-webhook": WEBHOOK_SECRET}
        for name, value in {**given, **credentials}.items():
            (folder / name).write_text(value)
        inherited = {k: v for k, v in os.environ.items()
                     if not k.startswith("AWS_") and not k.lower().endswith("_proxy")}
        return {**inherited, "AWS_ENDPOINT_URL": self.cloud.address, "AWS_REGION": "eu-west-1",
                "AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET,
                "AWS_EC2_METADATA_DISABLED": "true", "HOME": str(self.directory),
                "CREDENTIALS_DIRECTORY": str(folder), "GITHUB_API": self.cloud.address + "/github",
                "CLOUD": self.cloud.address, "POINTSMAN_STATE": str(self.directory / "state"),
                "POINTSMAN_ADMIN": f"unix:{self.admin}", "POINTSMAN_PLUGINS": PLUGINS,
                "POINTSMAN_LISTEN": f"127.0.0.1:{self.listen}",
                "POINTSMAN_METRICS": f"127.0.0.1:{self.metrics}", **further}

    def write(self, name, text):
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def configure(self, configuration, settings=None):
        """Write the configuration anew; takes effect at the next start."""
        keys = {"state": self.directory / "state", "admin": f"unix:{self.admin}",
                "listen": f"127.0.0.1:{self.listen}", "metrics": f"127.0.0.1:{self.metrics}",
                "plugins": PLUGINS, "min-free": "1M", **(settings or {})}
        base = "[pointsman]\n" + "".join(f"{k} = {v}\n" for k, v in keys.items())
        self.write("conf/00-pointsman.ini", base)
        self.write("conf/50-test.ini", configuration)

    def arguments(self, verb, *rest):
        chosen = [arg for path in self.paths for arg in ("-c", str(path))]
        return [PROGRAM, verb, *chosen, *map(str, rest)]

    def spawn(self):
        with open(self.log_path, "ab") as log:
            self.process = children.spawn(self.arguments("run"), self.limits,
                                          env=self.environment, cwd=self.directory,
                                          stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def start(self, ready=True, most=0.05):
        """Run it, and wait until it answers (and is ready); looked for every `most` seconds."""
        self.spawn()
        if ready:
            until("readiness", self.is_ready, START, most)
        else:
            until("a sign of life", self.is_alive, START, most)

    def is_ready(self):
        self.fail_if_ended()
        return self.readiness()[0] == 200

    def is_alive(self):
        """A verb would not do to ask: with no daemon it opens the journal itself."""
        self.fail_if_ended()
        return self.readiness()[0] in (200, 503)

    def fail_if_ended(self):
        if self.process.poll() is not None:
            raise Ended(f"it ended with {self.process.returncode}:\n{self.log()[-4000:]}")

    def readiness(self):
        """(status, text) of /readyz; (0, why) if nobody listens."""
        try:
            return self.get("/readyz")
        except OSError as error:
            return 0, str(error)

    def stop(self):
        """The polite way, which must work."""
        code = children.end(self.process, STOP)
        self.process = None
        if code != 0:
            raise Ended("SIGTERM did not stop it" if code is None else f"exit code {code}")

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process = None

    def restart(self, ready=True):
        self.stop()
        self.start(ready)

    def discard(self):
        if self.process:
            self.kill()
        self.cloud.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def get(self, path):
        return self.request("GET", path, port=self.metrics)

    def request(self, method, path, body=None, headers=None, port=None):
        connection = http.client.HTTPConnection("127.0.0.1", port or self.listen,
                                                timeout=self.patience)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def post(self, path, body, headers=None):
        """The status of a POST at `listen`; an object is sent as JSON."""
        if not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        return self.request("POST", path, body,
                            {"Content-Type": "application/json", **(headers or {})})[0]

    def cli(self, verb, *rest, check=True, text=None):
        """Run a verb of the command line with this configuration."""
        done = subprocess.run(self.arguments(verb, *rest), env=self.environment, input=text,
                              cwd=self.directory, capture_output=True, text=True,
                              timeout=60 * SLOW)
        if check and done.returncode != 0:
            raise Ended(f"{verb} {rest}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def lines(self, verb, *words):
        """The JSON lines of a reading verb."""
        done = self.cli(verb, *words, "--json")
        return [json.loads(line) for line in done.stdout.splitlines()]

    def events(self, kind=None, *options):
        """The lines of `events list`, oldest first."""
        lines = self.lines("events", "list", "--limit", "100000", *options)
        return [e for e in reversed(lines) if kind in (None, e["type"])]

    def letters(self):
        return self.lines("dlq", "list")
