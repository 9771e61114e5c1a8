"""The flow's first half on a real stream: AWS's own DynamoDB Local."""

import pathlib
import tempfile
import unittest

from flow.dynamodb_local import DynamoDBLocal
from flow.flow import Flow
from flow.router import ROOT
from flow.site import BUCKET

POINTSMAN = (ROOT / "conf.d" / "30-metadata.ini").read_text().replace("${bucket}", BUCKET) \
    .replace("${region}", "eu-west-1")
SOURCE = """
[source algorithms]
plugin = ddb-stream
table = algorithms
region = eu-west-1
start = trim-horizon
poll = %s
relist = 1s
"""


class RealStream(unittest.TestCase):
    def database(self, clock=None):
        log = tempfile.NamedTemporaryFile(prefix="dynamodb-local-")
        self.addCleanup(log.close)
        database = DynamoDBLocal(pathlib.Path(log.name), clock)
        self.addCleanup(database.stop)
        database.create_table("algorithms")
        return database

    def flow(self, database, poll="250ms"):
        flow = Flow(self, SOURCE % poll + POINTSMAN, start=False, environment={
            "AWS_ENDPOINT_URL_DYNAMODB": database.address, "RETRY": "1h, 100ms..400ms",
            "AWS_ENDPOINT_URL_DYNAMODB_STREAMS": database.address})
        flow.cloud.s3.bucket(name=BUCKET)
        return flow

    def test_versions_reach_the_metadata_with_a_restart_in_between_and_a_toggled_stream(self):
        database = self.database()
        with self.flow(database) as flow:
            database.complete("quicksort", "1.0", "in")
            flow.start()
            flow.expect_object("metadata/in.json", {"active": {"quicksort": "1.0"}})
            flow.settled()
            flow.stop()
            database.complete("quicksort", "2.0", "in")
            flow.start()
            flow.expect_object("metadata/in.json", {"active": {"quicksort": "2.0"}})
            database.toggle_stream("algorithms")
            database.complete("quicksort", "3.0", "in")
            flow.expect_object("metadata/in.json", {"active": {"quicksort": "3.0"}})
            flow.settled()
            versions = flow.cloud.s3.versions(bucket=BUCKET, key="metadata/in.json")
            self.assertEqual(3, len(versions))

    def test_iterators_that_expire_lose_nothing(self):
        """Its clock runs 300 times as fast: 15 minutes are 3 seconds, and we ask every 4."""
        database = self.database("+0 x300")
        with self.flow(database, poll="4s") as flow:
            flow.start()
            for version in ("1.0", "2.0"):
                database.complete("quicksort", version, "in")
                flow.until(version, lambda v=version: flow.object("metadata/in.json") ==
                           {"active": {"quicksort": v}}, patience=30)


if __name__ == "__main__":
    unittest.main()
