"""What tests ask of a running router, so that they read like a conversation.

    with Flow(self, CONFIGURATION) as flow:
        flow.cloud.put_item("algorithms", id="a", phase="DONE")
        flow.expect_slack("a is done")

Nothing waits for time to pass: everything is asked for until it is there, or a deadline is
over.  At the end the program must stop cleanly, botocore must be content with every AWS request
it made, and no secret may stand in its log.
"""

import json

import judge
from cloud.sts import secret_of as secret_of_role

from . import hooks
from .router import SLOW, WEBHOOK_SECRET, Router
from .standin import KEY_ID, SECRET
from .waiting import until

CLOUDEVENT = {"Content-Type": "application/cloudevents+json"}
BATCH = {"Content-Type": "application/cloudevents-batch+json"}
ENDED = {"done", "dead", "superseded", "dropped", "not started"}
SECRETS = (SECRET, WEBHOOK_SECRET, "slack-secret-of-tests")


def secret_of(key_id):
    return SECRET if key_id == KEY_ID else secret_of_role(key_id)


class Flow(Router):
    """A router for one test.  Started on entry, unless told otherwise."""

    def __init__(self, test, configuration=None, *, start=True, ready=True, **how):
        super().__init__(configuration, **how)
        self.test = test
        self.starting = (start, ready)
        self.judged = True

    def __enter__(self):
        try:
            start, ready = self.starting
            if start:
                self.start(ready)
        except BaseException:
            self.show_log()
            self.discard()
            raise
        return self

    def __exit__(self, kind, error, trace):
        try:
            if self.process and kind is None:
                self.stop()
            if kind is None:
                self.judge()
        except BaseException:
            self.show_log()
            raise
        finally:
            if kind is not None:
                self.show_log()
            self.discard()

    def show_log(self):
        print(f"--- log of {self.test.id()}\n{self.log()[-8000:]}---", flush=True)

    def judge(self):
        """What holds for every flow."""
        log = self.log()
        for secret in SECRETS:
            self.test.assertNotIn(secret, log, "a secret is in the log")
        if not self.judged:
            return
        found = [c for entry in self.cloud.seen()
                 if "THE-TEST" not in str(entry["headers"]) and entry["code"] != "RequestTimeTooSkewed"
                 for c in judge.complaints(entry, secret_of)]
        self.test.assertEqual([], found)

    def until(self, what, look, patience=20.0):
        return until(what, look, patience * SLOW)

    # What must have happened outside.

    def slack(self):
        return [m["text"] for m in self.cloud.slack.messages()]

    def expect_slack(self, part):
        """A message with this in it; answers it."""
        return self.until(f"a Slack message with {part!r}",
                          lambda: next((m for m in self.slack() if part in m), None))

    def builds(self, project="site"):
        return self.cloud.codebuild.builds(project=project)

    def expect_builds(self, count, project="site"):
        """So many builds, and not one more; answers them."""
        builds = self.until(f"{count} builds", lambda: len(self.builds(project)) >= count
                            and self.builds(project))
        self.test.assertEqual(count, len(builds))
        return builds

    def expect_invalidations(self, count, distribution="ESITE"):
        """So many, and not one more; answers them."""
        def look():
            return self.cloud.cloudfront.invalidations(name=distribution)
        self.until(f"{count} invalidations", lambda: len(look()) >= count)
        self.test.assertEqual(count, len(look()))
        return look()

    def object(self, key, bucket="acme-site-metadata"):
        """The object's content as JSON, or None."""
        found = self.cloud.s3.get(bucket=bucket, key=key)
        return json.loads(found["body"]) if found else None

    def expect_object(self, key, content):
        self.until(f"{key} to be {content}", lambda: self.object(key) == content)

    def expect_dead(self, count=1):
        """So many dead letters; answers them."""
        def look():
            found = self.letters()
            return found if len(found) >= count else None
        found = self.until(f"{count} dead letters", look)
        self.test.assertEqual(count, len(found), found)
        return found

    def expect_events(self, kind, count=1):
        """At least so many events of this type; answers them."""
        def look():
            found = self.events(kind)
            return found if len(found) >= count else None
        return self.until(f"{count} events {kind}", look)

    def settled(self):
        """Wait until all that is accepted is delivered, or given up."""
        self.until("all deliveries to end", lambda: all(
            ENDED.issuperset(e["deliveries"]) for e in self.events()))

    def bodies(self, name="out"):
        """What a sink of the stand-in took, as JSON, in order."""
        return [json.loads(e["body"]) for e in self.cloud.seen("sink", name)
                if e["status"] == 200]

    # What arrives.

    def receive(self, *events):
        """CloudEvents at the source `in`, each accepted."""
        for event in events:
            self.test.assertEqual(202, self.post("/in", event, CLOUDEVENT))

    def receive_at_once(self, events):
        """CloudEvents at the source `in`, in one request."""
        self.test.assertEqual(202, self.post("/in", list(events), BATCH))

    def github(self, event, payload, **how):
        """The status of a webhook as GitHub would send it."""
        return hooks.send(self, event, payload, **how)

    def push(self, **how):
        """Somebody pushes, and GitHub's webhook is accepted; answers the new head."""
        status, head = hooks.push(self, **how)
        self.test.assertEqual(202, status)
        return head
