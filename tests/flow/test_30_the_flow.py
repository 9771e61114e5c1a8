"""The shipped conf.d/, end to end: from a changed item to Slack and the caches."""

import unittest

from flow.flow import Flow
from flow.router import ROOT
from flow.site import BUCKET, QUICK, TYPES, complete, furnish, newest, pinned


class TheFlow(unittest.TestCase):
    def flow(self, **settings):
        """The site, running; its four inputs have been seen once, and built from."""
        flow = Flow(self, paths=[ROOT / "conf.d"], environment={**QUICK, **settings}, start=False)
        furnish(flow.cloud)
        return flow

    def first_release(self, flow):
        """Everything that is there at the start makes one build."""
        flow.start()
        flow.expect_slack("released")
        flow.expect_invalidations(1)
        flow.settled()
        return len(flow.builds())

    def test_a_completed_version_is_released(self):
        with self.flow() as flow:
            before = self.first_release(flow)
            complete(flow.cloud, "quicksort", "2.4.1", "in")
            flow.expect_object("metadata/in.json", {"active": {"quicksort": "2.4.1"}})
            build = flow.expect_builds(before + 1)[-1]
            self.assertEqual("site", build["projectName"])
            self.assertEqual(newest(flow.cloud), pinned(build))
            flow.until("a second message", lambda: len(flow.slack()) == before + 1)
            self.assertIn(":white_check_mark: *site* released", flow.slack()[-1])
            flow.expect_invalidations(before + 1)
            flow.settled()
            self.assertEqual([], flow.letters())

    def test_three_objects_changed_within_the_window_make_one_build(self):
        with self.flow(RELEASE_WAIT="2s") as flow:
            before = self.first_release(flow)
            for kind in TYPES:
                complete(flow.cloud, "quicksort", "3.0", kind)
            for kind in TYPES:
                flow.expect_object(f"metadata/{kind}.json", {"active": {"quicksort": "3.0"}})
            build = flow.expect_builds(before + 1)[-1]
            self.assertEqual(newest(flow.cloud), pinned(build))
            flow.settled()
            flow.expect_builds(before + 1)

    def test_a_failed_build_is_told_and_refreshes_nothing(self):
        with self.flow() as flow:
            before = self.first_release(flow)
            flow.cloud.codebuild.project(name="site", outcome="FAILED")
            flow.push()
            flow.expect_slack(":x: *site* build.failed")
            flow.settled()
            flow.expect_invalidations(before)
            self.assertEqual([], flow.letters())

    def test_an_update_that_leaves_the_phase_does_nothing(self):
        with self.flow() as flow:
            complete(flow.cloud, "quicksort", "2.4.1", "in")
            self.first_release(flow)
            versions = flow.cloud.s3.versions(bucket=BUCKET, key="metadata/in.json")
            flow.cloud.update_item("algorithms", {"id": "quicksort-2.4.1"}, seconds=12)
            flow.expect_events("dynamodb.item.modified", 2)
            flow.settled()
            self.assertEqual(versions, flow.cloud.s3.versions(bucket=BUCKET,
                                                              key="metadata/in.json"))

    def test_a_change_during_a_build_waits_and_only_the_last_one_is_built(self):
        with self.flow() as flow:
            before = self.first_release(flow)
            flow.cloud.codebuild.project(name="site", seconds=None)
            flow.push()
            flow.expect_builds(before + 1)
            flow.push(delivery="d-2")
            flow.expect_events("pointsman.rule.fired", before + 2)
            last = flow.push(delivery="d-3")
            flow.expect_events("pointsman.rule.fired", before + 3)
            flow.expect_builds(before + 1)
            flow.cloud.codebuild.project(name="site", seconds=0.2)
            flow.cloud.codebuild.end()
            build = flow.expect_builds(before + 2)[-1]
            self.assertEqual(last, build["sourceVersion"])
            flow.settled()
            flow.expect_builds(before + 2)

    def test_slack_down_never_delays_cloudfront(self):
        with self.flow() as flow:
            before = self.first_release(flow)
            flow.cloud.trouble("slack", status=503)
            flow.push()
            flow.expect_invalidations(before + 1)
            self.assertEqual(before, len(flow.slack()))
            flow.cloud.calm()
            flow.until("the message", lambda: len(flow.slack()) == before + 1)

    def test_slack_down_never_makes_the_failure_rule_feed_itself(self):
        with self.flow(RETRY="500ms, 50ms..100ms") as flow:
            self.first_release(flow)
            flow.cloud.trouble("slack", status=400, code="channel_is_archived")
            flow.push()
            flow.expect_dead(2)  # of slack-ok, and of slack-broken, which tells of the first
            flow.settled()
            self.assertEqual(1, len(flow.events("pointsman.delivery.dead")))
            flow.cloud.calm()
            flow.cli("dlq", "retry", "--all")
            flow.until("both messages", lambda: len(flow.slack()) == 3)

    def test_slack_refusing_one_message_leaves_a_dead_letter_to_redrive(self):
        with self.flow() as flow:
            self.first_release(flow)
            flow.cloud.trouble("slack", times=1, status=400, code="invalid_payload")
            flow.push()
            letter = flow.expect_dead()[0]
            self.assertEqual("slack-ok", letter["target"])
            self.assertIn("invalid_payload", letter["why"])
            flow.expect_slack("pointsman.delivery.dead")
            flow.cli("dlq", "retry", letter["id"])
            flow.until("the message", lambda: sum("released" in m for m in flow.slack()) == 2)
            self.assertEqual([], flow.letters())

    def test_two_updates_reach_the_object_in_order_though_the_first_is_retried(self):
        with self.flow() as flow:
            self.first_release(flow)
            number = flow.cloud.trouble("s3", operation="PutObject", status=503, code="SlowDown")
            complete(flow.cloud, "quicksort", "1.0", "in")
            flow.until("a first try", lambda: flow.cloud.seen("s3", "PutObject"))
            complete(flow.cloud, "quicksort", "2.0", "in")
            flow.expect_events("dynamodb.item.modified", 2)
            flow.cloud.calm(number)
            flow.expect_object("metadata/in.json", {"active": {"quicksort": "2.0"}})
            flow.settled()
            self.assertEqual({"active": {"quicksort": "2.0"}}, flow.object("metadata/in.json"))

    def test_what_a_lost_webhook_would_have_said_is_fetched(self):
        with self.flow(GITHUB_SWEEP="1s") as flow:
            flow.start()
            flow.expect_slack("released")
            before = len(flow.builds())
            head = flow.cloud.github.push(name="acme/site", branch="main")["after"]
            build = flow.expect_builds(before + 1)[-1]
            self.assertEqual(head, build["sourceVersion"])


if __name__ == "__main__":
    unittest.main()
