"""What the router is doing while a call of it fails.

A scenario prepares once, on a stage of its own, and plays many times: it starts the router, which
meets the fault, and returns when all is done or the router has ended.
"""

import shutil

from flow.site import BUCKET
from flow.standin import KEY_ID, SECRET, StandIn

from .page import environment
from .stage import HTTP_IN, Stage, tell_end

CLOUD = """
[source objects]
plugin = s3
bucket = site
keys = a, b
poll = 1s
[source items]
plugin = ddb-stream
table = items
poll = 250ms
"""

QUESTIONS = (["status"], ["events", "list"], ["events", "show", "1"], ["dlq", "list"])


class Scenario:
    sources = HTTP_IN
    lasting = False  # the router is not what fails, and stays

    def __init__(self, library, page):
        self.page = page
        self.library = library
        self.trace = None
        self.note = None  # what else came of a play
        self.stage = Stage(self.sources, self.environment())

    def environment(self):
        return {}

    def discard(self):
        self.stage.discard()

    def fault(self):
        return environment(self.library, self.page, self.trace)

    def play(self):
        """True if all was done, False if the router ended."""
        raise NotImplementedError

    def finish(self):
        """What a router without faults must do after one that ended."""
        return self.stage.send(["last"]) and self.stage.until_delivered()


class Start(Scenario):
    """An empty state directory, one event, the end."""

    def play(self):
        s = self.stage
        s.clear()
        self.page.arm()
        s.start(self.fault())
        return s.send(["one"]) and s.until_delivered()


class Flow(Scenario):
    """Events singly and by the dozen, to a sink that is well."""

    def play(self):
        s = self.stage
        s.clear()
        s.start(self.fault())
        if not s.send(["zero"]) or not s.until_delivered():
            return False
        self.page.arm()
        return (s.send(["one"]) and s.send(["two"]) and
                s.send([f"line-{n}" for n in range(12)], lines=True) and s.until_delivered())


class Retry(Scenario):
    """The sink fails, then is well again."""

    def play(self):
        s = self.stage
        s.clear()
        s.start(self.fault())
        if not s.send(["zero"]) or not s.until_delivered():
            return False
        s.sink.answer(503)
        try:
            self.page.arm()
            if not s.send(["one", "two", "three"], lines=True) or \
               not s.until("the sink to refuse", self.refused):
                return False
        finally:
            s.sink.answer(200)
        return s.until_delivered()

    def refused(self):
        self.stage.sink.read()
        return self.stage.sink.refused >= 4


class Backlog(Scenario):
    """A start after a kill, with events waiting."""

    def __init__(self, *how):
        super().__init__(*how)
        s = self.stage
        self.kept = s.folder / "backlog"
        self.names = {f"waiting-{n}" for n in range(20)}
        s.sink.answer(503)
        s.start()
        s.send(sorted(self.names), lines=True)
        s.until("the sink to refuse", lambda: s.sink.read() or s.sink.refused >= 2)
        s.kill()
        s.sink.answer(200)
        shutil.move(s.state, self.kept)

    def play(self):
        s = self.stage
        s.clear(self.kept)
        s.acknowledged.update(self.names)
        self.page.arm()
        s.start(self.fault())
        return s.until_delivered()


class Admin(Scenario):
    """Verbs ask the daemon, and go unanswered if they must."""

    def play(self):
        s = self.stage
        s.clear()
        s.start(self.fault())
        if not s.send(["one"]) or not s.until_delivered():
            return False
        self.page.arm()
        for words in QUESTIONS:
            s.ask_verb(words)
        return s.send(["two"]) and s.until_delivered()


class Cloud(Scenario):
    """A DynamoDB stream and S3 objects as sources."""

    sources = CLOUD

    def __init__(self, *how):
        self.cloud = StandIn()
        self.cloud.create_table("items")
        self.cloud.s3.bucket(name="site")
        for name in ("a", "b"):
            self.cloud.put_item("items", id=name)
            self.cloud.s3.put(bucket="site", key=name, body="{}")
        super().__init__(*how)
        self.changes = set()  # their ids are the cloud's: learnt when nothing fails
        self.stage.start()
        self.stage.until("all changes", lambda: self.told() and len(self.stage.acknowledged) == 4)
        self.changes = self.stage.acknowledged

    def environment(self):
        return {"AWS_ENDPOINT_URL": self.cloud.address, "AWS_REGION": "eu-west-1",
                "AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET,
                "AWS_EC2_METADATA_DISABLED": "true"}

    def discard(self):
        super().discard()
        self.cloud.stop()

    def play(self):
        s = self.stage
        s.clear()
        self.page.arm()
        s.start(self.fault())
        return s.until("all changes to be told", self.told)

    def finish(self):
        """All may have been told before, and SIGTERM must not come before it is heard."""
        s = self.stage
        return s.until("readiness", s.is_ready) and s.until("all changes to be told", self.told)

    def told(self):
        s = self.stage
        s.sink.read()
        s.acknowledged = set(s.sink.accepted) | self.changes
        return self.changes <= s.sink.accepted.keys()


class Verb(Scenario):
    """A verb, of which a call fails, asks a daemon that is well."""

    lasting = True
    words = ["events", "show", "1"]

    def __init__(self, *how):
        super().__init__(*how)
        self.stage.start()
        self.stage.send(["one"])
        self.stage.until_delivered()

    def play(self):
        s = self.stage
        self.page.arm()
        code, said = s.ask_verb(self.words, self.fault())
        s.log.write_text(said)
        self.note = tell_end(code, said)
        return True


class Alone(Verb):
    """The same with no daemon there: the verb opens the journal itself."""

    def __init__(self, *how):
        super().__init__(*how)
        self.stage.stop()


SCENARIOS = {each.__name__.lower(): each
             for each in (Start, Flow, Retry, Backlog, Admin, Verb, Alone, Cloud)}
