"""The demo: the shipped conf.d/ against the stand-in cloud, shown as a timeline.

Each line is printed when the stand-in has seen it happen; if one does not come, the demo says
so and ends with 1.
"""

import json
import shlex
import signal
import sys
import time

from .hooks import push
from .router import ROOT, Router
from .site import BUCKET, QUICK, complete, furnish, newest, pinned
from .waiting import NeverHappened, until

PACE = {**QUICK, "RELEASE_WAIT": "1s", "REFRESH_WAIT": "500ms", "RETRY": "1h, 200ms..1s"}


class Timeline:
    def __init__(self):
        self.start = time.monotonic()

    def chapter(self, title):
        print(f"\n{title}", flush=True)

    def line(self, who, what):
        print(f"{time.monotonic() - self.start:7.2f}  {who:<12} {what}", flush=True)


class Demo:
    def __init__(self, router):
        self.router = router
        self.cloud = router.cloud
        self.line = Timeline()

    def say(self, who, what):
        self.line.line(who, what)

    def new(self, what, look, known):
        """Wait until look() has more than `known` entries; answers those."""
        return until(what, lambda: look()[known:])

    def messages(self):
        return self.cloud.slack.messages()

    def builds(self):
        return self.cloud.codebuild.builds(project="site")

    def invalidations(self):
        return self.cloud.cloudfront.invalidations(name="ESITE")

    # Steps.

    def build_starts(self, known):
        build = self.new("a build", self.builds, known)[0]
        given, wanted = pinned(build), newest(self.cloud)
        versions = " ".join(f"{name}={version[:7]}" for name, version in given.items())
        self.say("CodeBuild", f"site started at {build['sourceVersion'][:7]} {versions}")
        if given != wanted:
            raise NeverHappened(f"the build has {given}, the newest versions are {wanted}")

    def message_comes(self, known, part):
        text = until(f"a message with {part!r}", lambda: next(
            (m["text"] for m in self.messages()[known:] if part in m["text"]), None))
        self.say("Slack", text)

    def cache_is_refreshed(self, known):
        found = self.new("an invalidation", self.invalidations, known)[0]
        self.say("CloudFront", f"ESITE invalidates {', '.join(found['paths'])}")

    def pushed(self):
        status, head = push(self.router)
        if status != 202:
            raise NeverHappened(f"the webhook was answered {status}")
        self.say("GitHub", f"push to main, now {head[:7]}; its webhook was answered 202")

    # Chapters.

    def first_release(self):
        self.line.chapter("pointsman starts; all four sources are new to it")
        self.router.start()
        self.say("pointsman", "ready")
        self.build_starts(0)
        self.message_comes(0, "released")
        self.cache_is_refreshed(0)

    def version_passes(self):
        self.line.chapter("A version passes its tests")
        builds, messages = len(self.builds()), len(self.messages())
        caches = len(self.invalidations())
        complete(self.cloud, "quicksort", "2.4.1", "in")
        self.say("DynamoDB", "quicksort 2.4.1: phase PACKAGE_BUILT -> PACKAGE_TESTS_COMPLETE")
        wanted = {"active": {"quicksort": "2.4.1"}}
        until("the metadata object", lambda: json.loads(
            self.cloud.s3.get(bucket=BUCKET, key="metadata/in.json")["body"]) == wanted)
        self.say("S3", f"metadata/in.json is {json.dumps(wanted)}")
        self.build_starts(builds)
        self.message_comes(messages, "released")
        self.cache_is_refreshed(caches)

    def build_fails(self):
        self.line.chapter("A build fails")
        builds, messages = len(self.builds()), len(self.messages())
        self.cloud.codebuild.project(name="site", outcomes=["FAILED"])
        self.pushed()
        self.build_starts(builds)
        self.message_comes(messages, "build.failed")

    def slack_is_down(self):
        self.line.chapter("Slack is down")
        messages, opened = len(self.messages()), len(self.router.events("pointsman.breaker.opened"))
        closed = len(self.router.events("pointsman.breaker.closed"))
        caches, seen = len(self.invalidations()), len(self.cloud.seen("slack"))
        self.cloud.trouble("slack", status=503)
        self.pushed()
        self.cache_is_refreshed(caches)
        self.new("three tries", lambda: self.cloud.seen("slack"), seen + 2)
        self.say("Slack", f"answered 503 {len(self.cloud.seen('slack')) - seen} times so far")
        self.new("the breaker", lambda: self.router.events("pointsman.breaker.opened"), opened)
        self.say("pointsman", "the breaker of slack-ok is open: one probe at a time")
        self.cloud.calm()
        self.say("Slack", "is back")
        self.message_comes(messages, "released")
        self.new("the breaker", lambda: self.router.events("pointsman.breaker.closed"), closed)
        self.say("pointsman", "the breaker is closed")

    def slack_refuses(self):
        self.line.chapter("Slack refuses one message for good")
        messages = len(self.messages())
        self.cloud.trouble("slack", contains="released", status=400, code="channel_is_archived")
        self.pushed()
        letter = self.new("a dead letter", self.router.letters, 0)[0]
        self.say("pointsman", f"dead letter {letter['id']} of {letter['target']}: {letter['why']}")
        self.message_comes(messages, "pointsman.delivery.dead")
        self.cloud.calm()
        self.say("Slack", "accepts it again")
        self.router.cli("dlq", "retry", letter["id"])
        self.say("operator", f"pointsman dlq retry {letter['id']}")
        self.message_comes(messages, "released")
        until("an empty dlq", lambda: not self.router.letters())
        self.say("pointsman", "no dead letter is left")


def write_command(router):
    """A `pointsman` that speaks to this router, whatever the caller's environment."""
    wanted = [k for k in router.environment
              if k in PACE or k.startswith(("POINTSMAN_", "CREDENTIALS_", "GITHUB_"))]
    exports = [f"export {k}={shlex.quote(router.environment[k])}" for k in sorted(wanted)]
    program, _, *chosen = map(shlex.quote, router.arguments("VERB"))
    path = router.write("pointsman", "\n".join([
        "#!/bin/sh", *exports, "verb=$1", "shift",
        f'exec {program} "$verb" {" ".join(chosen)} "$@"', ""]))
    path.chmod(0o755)
    return path


def keep(router):
    command = write_command(router)
    cloud = router.cloud.address
    item = json.dumps({"TableName": "algorithms", "Item": {
        "id": {"S": "bubblesort-1.0"}, "algorithm": {"S": "bubblesort"}, "version": {"S": "1.0"},
        "type": {"S": "out"}, "phase": {"S": "PACKAGE_TESTS_COMPLETE"}}})
    print(f"""
It keeps running.  Ask it:

  {command} status
  {command} events list
  {command} events show 1
  curl -s http://127.0.0.1:{router.metrics}/metrics

Let something happen:

  curl -s {cloud} -H 'X-Amz-Target: DynamoDB_20120810.PutItem' \\
    -H 'Authorization: Credential=me/20240101/eu-west-1/dynamodb/aws4_request' \\
    -d '{item}'
  curl -s {cloud}/_control/github/push -d '{{"name": "acme/site", "branch": "main"}}'
  curl -s {cloud}/_control/slack/messages -d '{{}}'

Make trouble, and end it:

  curl -s {cloud}/_control/trouble -d '{{"service": "slack", "status": 503}}'
  curl -s -X DELETE {cloud}/_control/trouble

Log: {router.log_path}
Stop it with Ctrl-C.""", flush=True)
    try:
        signal.pause()
    except KeyboardInterrupt:
        pass


def main():
    router = Router(paths=[ROOT / "conf.d"], environment={**PACE, "GITHUB_SWEEP": "5s"})
    demo = Demo(router)
    try:
        furnish(router.cloud, build_seconds=1.0)
        for chapter in (demo.first_release, demo.version_passes, demo.build_fails,
                        demo.slack_is_down, demo.slack_refuses):
            chapter()
        print("\nEvery step was seen.", flush=True)
        if "--keep" in sys.argv[1:]:
            keep(router)
        router.stop()
        return 0
    except AssertionError as error:
        print(f"\nNOT SEEN: {error}\nThe end of the log:\n{router.log()[-3000:]}",
              file=sys.stderr)
        return 1
    finally:
        router.discard()


if __name__ == "__main__":
    sys.exit(main())
