"""kill -9 at each step, and what a restart makes of it."""

import re
import unittest

from flow.flow import Flow
from flow.parts import rule, sink
from flow.router import ROOT
from flow.site import BUCKET, QUICK, complete, furnish

STEPS = (
    ("streams", "GetRecords"),
    ("s3", "GetObject"),
    ("s3", "PutObject"),
    ("codebuild", "StartBuild"),
    ("codebuild", "BatchGetBuilds"),
    ("slack", "webhook"),
    ("cloudfront", "ListDistributions"),
    ("cloudfront", "CreateInvalidation"),
)


class KillNine(unittest.TestCase):
    """Killed while a request is outside: it arrived, its answer finds nobody."""

    def killed_at(self, service, operation):
        flow = Flow(self, paths=[ROOT / "conf.d"], environment=QUICK, start=False)
        furnish(flow.cloud)
        with flow:
            flow.start()
            flow.expect_slack("released")
            flow.expect_invalidations(1)
            flow.settled()
            after = len(flow.cloud.seen())
            flow.cloud.trouble(service, operation=operation, times=1, slow=0.4)
            complete(flow.cloud, "quicksort", "2.4.1", "in")
            flow.until(f"{operation}", lambda: flow.cloud.seen(service, operation, after))
            flow.kill()
            flow.start()
            flow.expect_object("metadata/in.json", {"active": {"quicksort": "2.4.1"}})
            flow.until("the second release", lambda: sum(
                "released" in m for m in flow.slack()) >= 2)
            flow.expect_invalidations(2)
            flow.settled()
            self.check_outcome(flow, after)

    def check_outcome(self, flow, after):
        """One version, one build, one invalidation; what was sent twice bore the same key."""
        self.assertEqual(2, len(flow.cloud.s3.versions(bucket=BUCKET, key="metadata/in.json")))
        flow.expect_builds(2)
        flow.expect_invalidations(2)
        self.assertEqual([], flow.letters())
        self.assertLessEqual(len(flow.slack()), 3)
        for service, operation, key in (
                ("codebuild", "StartBuild", r'"idempotencyToken": ?"(\w+)"'),
                ("cloudfront", "CreateInvalidation", "<CallerReference>(.+)</CallerReference>"),
                ("slack", "webhook", r"'Idempotency-Key', '(\w+)'")):
            sent = [str(entry["headers"]) + entry["body"]
                    for entry in flow.cloud.seen(service, operation, after)]
            self.assertEqual(1, len({re.search(key, text)[1] for text in sent}), sent)


def at(service, operation):
    def test(self):
        self.killed_at(service, operation)
    test.__name__ = f"test_killed_during_{service}_{operation}"
    return test


for step in STEPS:
    case = at(*step)
    setattr(KillNine, case.__name__, case)
del case


SOURCE = """
[source NAME]
plugin = ddb-stream
table = algorithms
poll = 250ms
start = trim-horizon
WAS
""" + sink() + rule("all", "dynamodb.item.*", "out")


class Names(unittest.TestCase):
    @staticmethod
    def source(name, was=""):
        return SOURCE.replace("NAME", name).replace("WAS", was)

    def test_a_renamed_source_repeats_nothing(self):
        with Flow(self, self.source("old"), start=False) as flow:
            flow.cloud.create_table("algorithms")
            flow.start()
            flow.cloud.put_item("algorithms", id="a")
            flow.until("the first", lambda: len(flow.cloud.seen("sink", "out")) == 1)
            flow.settled()
            flow.configure(self.source("new", "was = old"))
            flow.restart()
            flow.cloud.put_item("algorithms", id="b")
            flow.until("the second", lambda: len(flow.cloud.seen("sink", "out")) >= 2)
            flow.settled()
            self.assertEqual(2, len(flow.cloud.seen("sink", "out")))


if __name__ == "__main__":
    unittest.main()
