"""kill -9 at each step, and what a restart makes of it."""

import unittest

from flow.flow import Flow
from flow.router import ROOT
from flow.site import QUICK, complete, furnish

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
        """One build; what was sent twice bore the same key."""
        flow.expect_builds(2)
        flow.expect_invalidations(2)
        self.assertEqual([], flow.letters())
        self.assertEqual(1, len(self.keys(flow, "slack", "webhook", after)))
        self.assertEqual(1, len(self.keys(flow, "s3", "PutObject", after)))
        self.assertEqual(1, len(self.keys(flow, "codebuild", "StartBuild", after)))
        self.assertLessEqual(len(flow.slack()), 3)

    @staticmethod
    def keys(flow, service, operation, after):
        return {value for entry in flow.cloud.seen(service, operation, after)
                for name, value in entry["headers"] if name.lower() == "idempotency-key"}


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
[source {name}]
plugin = ddb-stream
table = algorithms
poll = 250ms
start = trim-horizon
{was}

[sink out]
plugin = http
url = ${{env:CLOUD}}/sink/out
{sink_was}

[rule all]
on = dynamodb.item.*
do = out
"""


class Names(unittest.TestCase):
    def test_a_renamed_source_repeats_nothing(self):
        with Flow(self, SOURCE.format(name="old", was="", sink_was="")) as flow:
            flow.cloud.create_table("algorithms")
            flow.cloud.put_item("algorithms", id="a")
            flow.until("the first", lambda: len(flow.cloud.seen("sink", "out")) == 1)
            flow.settled()
            flow.configure(SOURCE.format(name="new", was="was = old", sink_was=""))
            flow.restart()
            flow.cloud.put_item("algorithms", id="b")
            flow.until("the second", lambda: len(flow.cloud.seen("sink", "out")) >= 2)
            flow.settled()
            self.assertEqual(2, len(flow.cloud.seen("sink", "out")))


if __name__ == "__main__":
    unittest.main()
