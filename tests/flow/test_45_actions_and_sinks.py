"""What the actions and sinks do beyond the flow of conf.d/."""

import json
import unittest

from flow.flow import Flow
from flow.parts import IN, event, rule

BUILDS = IN + """
[action build]
plugin = codebuild-trigger
project = site
region = eu-west-1
source-version = {{ data.commit }}
secondary-version.docs = {{ data.docs | or("v1") }}
poll = 100ms
deadline = %s
timeout = 2s
retry = 1m, 50ms..200ms

[sink chat]
plugin = slack
token = ${env:SLACK_TOKEN}
api = ${env:CLOUD}/slack/api
channel = site
retry = 1m, 50ms..200ms
""" + rule("build", "order.placed", "build") + rule("tell", "build.*", "chat")


class Builds(unittest.TestCase):
    def flow(self, deadline="1h", **project):
        flow = Flow(self, BUILDS % deadline, environment={"SLACK_TOKEN": "xoxb-tests"},
                    start=False)
        flow.cloud.codebuild.project(name="site", **project)
        flow.start()
        return flow

    def started(self, flow, **data):
        flow.receive(event(commit="abc", **data))
        flow.until("the build", lambda: flow.builds())

    def test_a_failed_build_is_a_done_duty(self):
        with self.flow(outcome="FAULT", seconds=0.2) as flow:
            self.started(flow)
            failed = flow.expect_events("build.failed")[0]
            flow.settled()
            self.assertEqual([], flow.letters())
            data = flow.lines("events", "show", str(failed["seq"]))[0]["event"]["data"]
            self.assertEqual(("site", "abc"), (data["project"], data["version"]))
            self.assertIn("COMMAND_EXECUTION_ERROR", data["reason"])

    def test_each_end_has_its_event(self):
        for outcome, kind in (("STOPPED", "build.stopped"), ("TIMED_OUT", "build.timed-out"),
                              ("SUCCEEDED", "build.succeeded")):
            with self.subTest(outcome), self.flow(outcome=outcome, seconds=0.1) as flow:
                self.started(flow)
                flow.expect_events(kind)

    def test_one_message_goes_from_building_to_its_result(self):
        with self.flow(seconds=None) as flow:
            self.started(flow)
            flow.until("the message", lambda: flow.slack())
            self.assertIn("building", flow.slack()[0])
            flow.restart()
            flow.cloud.codebuild.end(outcome="SUCCEEDED")
            flow.until("the edit", lambda: flow.cloud.slack.messages()[0]["edited"])
            self.assertEqual(1, len(flow.slack()))
            self.assertNotIn("building", flow.slack()[0])

    def test_a_held_build_is_followed_over_a_kill(self):
        with self.flow(seconds=None) as flow:
            self.started(flow)
            flow.expect_events("build.started")
            flow.kill()
            flow.start()
            flow.cloud.codebuild.end()
            flow.expect_events("build.succeeded")
            flow.expect_builds(1)
            self.assertEqual(1, len(flow.events("build.started")))

    def test_emitted_by_an_action_a_repeat_keeps_its_id(self):
        """Killed after CodeBuild took the build, before that was durable: found again."""
        with self.flow(seconds=None) as flow:
            flow.cloud.trouble("codebuild", operation="StartBuild", times=1, done=True, cut="after")
            self.started(flow)
            flow.expect_events("build.started")
            flow.cloud.codebuild.end()
            flow.expect_events("build.succeeded")
            flow.settled()
            flow.expect_builds(1)
            self.assertEqual(1, len(flow.events("build.started")))

    def test_a_concurrency_limit_waits(self):
        with self.flow(limit=1, seconds=None) as flow:
            self.started(flow)
            flow.receive(event(2, subject="b", commit="def"))
            flow.until("a refusal", lambda: [e for e in flow.cloud.seen("codebuild")
                                             if e["code"] == "AccountLimitExceededException"])
            flow.cloud.codebuild.end()
            flow.until("the second", lambda: len(flow.builds()) == 2)

    def test_timeouts_at_its_deadline_a_build_is_stopped(self):
        with self.flow("1s", seconds=None) as flow:
            self.started(flow)
            flow.expect_events("build.stopped")
            self.assertEqual("STOPPED", flow.builds()[0]["buildStatus"])
            flow.settled()

    def test_sources_are_pinned_and_live_builds_asked_for_together(self):
        with self.flow(seconds=None) as flow:
            flow.receive(*(event(n, subject=f"s{n}", commit=f"c{n}", docs=f"d{n}")
                           for n in range(3)))
            flow.until("three builds", lambda: len(flow.builds()) == 3)
            together = flow.until("one question for all", lambda: [
                e for e in flow.cloud.seen("codebuild", "BatchGetBuilds")
                if len(json.loads(e["body"])["ids"]) == 3])
            self.assertTrue(together)
            self.assertEqual({(f"c{n}", f"d{n}") for n in range(3)}, {
                (b["sourceVersion"], b["secondarySourceVersions"][0]["sourceVersion"])
                for b in flow.builds()})


CACHES = IN + """
[sink refresh]
plugin = cloudfront-invalidate
bucket = site
paths = /*, /docs/{{ data.version }}/*
wait = yes
poll = 100ms
retry = 1m, 50ms..200ms
""" + rule("refresh", "order.*", "refresh")


class Caches(unittest.TestCase):
    def flow(self, *distributions):
        flow = Flow(self, CACHES, start=False)
        for name, origins in distributions:
            flow.cloud.cloudfront.distribution(name=name, origins=origins)
        flow.start()
        flow.receive(event(version="2"))
        return flow

    def test_all_that_have_the_bucket_behind_them_and_no_other(self):
        with self.flow(("EA", ["site.s3.amazonaws.com"]),
                       ("EB", ["SITE.s3-website-eu-west-1.amazonaws.com"]),
                       ("EC", ["site-old.s3.amazonaws.com", "x.site.s3.amazonaws.com"])) as flow:
            for name in ("EA", "EB"):
                found = flow.expect_invalidations(1, name)[0]
                self.assertEqual(["/*", "/docs/2/*"], sorted(found["paths"]))
            flow.settled()
            flow.expect_invalidations(0, "EC")
            self.assertTrue(flow.cloud.seen("cloudfront", "GetInvalidation"))

    def test_none_is_a_dead_letter(self):
        with self.flow(("EC", ["site-old.s3.amazonaws.com"])) as flow:
            self.assertIn("site", flow.expect_dead()[0]["why"])

    def test_too_many_in_progress_is_retried_though_it_is_a_400(self):
        with Flow(self, CACHES, start=False) as flow:
            flow.cloud.cloudfront.distribution(name="EA", origins=["site.s3.amazonaws.com"])
            flow.cloud.cloudfront.limit(limit=0)
            flow.start()
            flow.receive(event(version="2"))
            flow.until("a refusal", lambda: [e for e in flow.cloud.seen("cloudfront")
                                             if e["code"] == "TooManyInvalidationsInProgress"])
            flow.cloud.cloudfront.limit(limit=5)
            flow.expect_invalidations(1, "EA")

    def test_a_lost_answer_invalidates_once(self):
        with Flow(self, CACHES, start=False) as flow:
            flow.cloud.cloudfront.distribution(name="EA", origins=["site.s3.amazonaws.com"])
            flow.cloud.trouble("cloudfront", operation="CreateInvalidation", times=1, cut="after")
            flow.start()
            flow.receive(event(version="2"))
            flow.settled()
            flow.expect_invalidations(1, "EA")
            self.assertEqual(2, len(flow.cloud.seen("cloudfront", "CreateInvalidation")))


SECRET = IN + """
[secrets store]
plugin = ssm
region = eu-west-1
ttl = 1s

[sink out]
plugin = http
url = ${env:CLOUD}/sink/out
token = ${store:/sink/token}
retry = 1m, 50ms..200ms

[source late]
plugin = http-in
token = ${store:/sink/token}
""" + rule("all", "order.*", "out")


class Secrets(unittest.TestCase):
    def bearer(self, flow):
        return dict(flow.cloud.seen("sink")[-1]["headers"])["Authorization"]

    def test_a_missing_one_is_waited_for_and_said(self):
        with Flow(self, SECRET, start=False) as flow:
            flow.start(ready=False)
            flow.until("the reason", lambda: "ParameterNotFound" in flow.readiness()[1])
            self.assertEqual(503, flow.post("/late", {}), "404 would tell the sender to give up")
            flow.cloud.ssm.set(name="/sink/token", value="first-secret")
            flow.until("readiness", flow.is_ready, 40)
            self.assertEqual(401, flow.post("/late", {}))
            flow.receive(event())
            flow.settled()
            self.assertEqual("Bearer first-secret", self.bearer(flow))
            self.assertNotIn("first-secret", flow.log())

    def test_a_changed_one_is_used_when_its_time_is_over(self):
        with Flow(self, SECRET, start=False) as flow:
            flow.cloud.ssm.set(name="/sink/token", value="first-secret")
            flow.start()
            flow.cloud.ssm.set(name="/sink/token", value="second-secret")
            asked = len(flow.cloud.seen("ssm"))
            flow.until("another look", lambda: len(flow.cloud.seen("ssm")) > asked)
            flow.receive(event())
            flow.until("delivery", lambda: flow.bodies())
            self.assertEqual("Bearer second-secret", self.bearer(flow))
            self.assertNotIn("second-secret", flow.log())


class Redrive(unittest.TestCase):
    CONFIGURATION = IN + """
[sink out]
plugin = http
url = ${env:CLOUD}/sink/out
""" + rule("all", "order.*", "out")

    def test_order_an_older_delivery_is_redriven_over_a_newer_one_only_by_force(self):
        with Flow(self, self.CONFIGURATION) as flow:
            flow.cloud.trouble("sink", times=1, status=400)
            flow.receive(event(1), event(2))
            letter = flow.expect_dead()[0]["id"]
            flow.settled()
            refused = flow.cli("dlq", "retry", letter, check=False)
            self.assertNotEqual(0, refused.returncode)
            self.assertIn("--force", refused.stderr)
            flow.cli("dlq", "retry", "--force", letter)
            flow.until("both", lambda: len(flow.bodies()) == 2)

    def test_idempotency_key_a_redrive_takes_the_next(self):
        with Flow(self, self.CONFIGURATION) as flow:
            flow.cloud.trouble("sink", times=1, status=400)
            flow.receive(event(1))
            flow.cli("dlq", "retry", flow.expect_dead()[0]["id"])
            flow.until("delivery", lambda: flow.bodies())
            keys = [dict(e["headers"])["Idempotency-Key"] for e in flow.cloud.seen("sink")]
            self.assertEqual(2, len(set(keys)))


if __name__ == "__main__":
    unittest.main()
