"""Amazon's own clients talk to the stand-in, so that it is held to the same models."""

import json
import unittest

import judge
from cloud.sts import secret_of as secret_of_role
from flow.standin import KEY_ID, SECRET, StandIn
from flow.waiting import until


def secret_of(key_id):
    return SECRET if key_id == KEY_ID else secret_of_role(key_id)


class AmazonsClients(unittest.TestCase):
    def setUp(self):
        self.cloud = StandIn()
        self.addCleanup(self.cloud.stop)

    def client(self, name, region="eu-west-1"):
        client = judge.client(name, self.cloud.address, KEY_ID, SECRET, region)
        self.addCleanup(client.close)
        return client

    def tearDown(self):
        for entry in self.cloud.seen():
            if entry["service"] in ("github", "slack") or "THE-TEST" in str(entry["headers"]):
                continue
            self.assertEqual([], judge.complaints(entry, secret_of))
            self.assertEqual([], judge.answer_complaints(entry))

    def table_with_stream(self):
        self.cloud.create_table("items")
        return self.client("dynamodb"), self.client("streams")

    def read(self, streams, arn, shard, **where):
        where = where or {"ShardIteratorType": "TRIM_HORIZON"}
        iterator = streams.get_shard_iterator(StreamArn=arn, ShardId=shard, **where)
        return streams.get_records(ShardIterator=iterator["ShardIterator"])

    def test_items_are_stored_and_changes_come_out_of_the_stream(self):
        items, streams = self.table_with_stream()
        items.put_item(TableName="items", Item={"id": {"S": "a"}, "n": {"N": "1.50"}})
        items.update_item(TableName="items", Key={"id": {"S": "a"}}, UpdateExpression="SET #n = :n",
                          ExpressionAttributeNames={"#n": "n"},
                          ExpressionAttributeValues={":n": {"N": "2"}})
        items.put_item(TableName="items", Item={"id": {"S": "a"}, "n": {"N": "2"}})
        items.delete_item(TableName="items", Key={"id": {"S": "a"}})
        self.assertNotIn("Item", items.get_item(TableName="items", Key={"id": {"S": "a"}}))

        arn = items.describe_table(TableName="items")["Table"]["LatestStreamArn"]
        shard = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"][0]["ShardId"]
        answer = self.read(streams, arn, shard)
        names = [r["eventName"] for r in answer["Records"]]
        self.assertEqual(["INSERT", "MODIFY", "REMOVE"], names)
        numbers = [int(r["dynamodb"]["SequenceNumber"]) for r in answer["Records"]]
        self.assertEqual(sorted(numbers), numbers)
        self.assertGreater(numbers[0], 2 ** 64)
        self.assertIn("NextShardIterator", answer)

    def test_a_split_shard_ends_and_its_children_go_on(self):
        items, streams = self.table_with_stream()
        items.put_item(TableName="items", Item={"id": {"S": "a"}})
        children = self.cloud.streams.split(table="items")
        items.put_item(TableName="items", Item={"id": {"S": "b"}})
        arn = items.describe_table(TableName="items")["Table"]["LatestStreamArn"]
        self.cloud.streams.page(shards=1)
        pages, last = [], {}
        while True:
            page = streams.describe_stream(StreamArn=arn, **last)["StreamDescription"]
            pages += page["Shards"]
            if "LastEvaluatedShardId" not in page:
                break
            last = {"ExclusiveStartShardId": page["LastEvaluatedShardId"]}
        parent = pages[0]["ShardId"]
        self.assertEqual(children, [s["ShardId"] for s in pages[1:]])
        self.assertEqual({parent}, {s["ParentShardId"] for s in pages[1:]})
        answer = self.read(streams, arn, parent)
        self.assertEqual(1, len(answer["Records"]))
        self.assertNotIn("NextShardIterator", answer)
        after = [len(self.read(streams, arn, c)["Records"]) for c in children]
        self.assertEqual(1, sum(after))
        found = streams.describe_stream(StreamArn=arn, ShardFilter={
            "Type": "CHILD_SHARDS", "ShardId": parent})["StreamDescription"]["Shards"]
        self.assertTrue(found)

    def test_iterators_expire_and_records_are_trimmed(self):
        items, streams = self.table_with_stream()
        for name in "abc":
            items.put_item(TableName="items", Item={"id": {"S": name}})
        arn = items.describe_table(TableName="items")["Table"]["LatestStreamArn"]
        shard = self.cloud.streams.shards(table="items")[0]["ShardId"]
        first = self.read(streams, arn, shard)["Records"][0]["dynamodb"]["SequenceNumber"]
        old = streams.get_shard_iterator(StreamArn=arn, ShardId=shard,
                                         ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
        self.cloud.streams.expire()
        with self.assertRaises(streams.exceptions.ExpiredIteratorException):
            streams.get_records(ShardIterator=old)
        self.cloud.streams.trim(table="items", keep=1)
        with self.assertRaises(streams.exceptions.TrimmedDataAccessException):
            streams.get_shard_iterator(StreamArn=arn, ShardId=shard, SequenceNumber=first,
                                       ShardIteratorType="AFTER_SEQUENCE_NUMBER")
        self.assertEqual(1, len(self.read(streams, arn, shard)["Records"]))

    def test_a_toggled_stream_has_a_new_arn_and_the_old_one_ends(self):
        items, streams = self.table_with_stream()
        items.put_item(TableName="items", Item={"id": {"S": "a"}})
        old = items.describe_table(TableName="items")["Table"]["LatestStreamArn"]
        for enabled in ({"StreamEnabled": False},
                        {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}):
            items.update_table(TableName="items", StreamSpecification=enabled)
        new = items.describe_table(TableName="items")["Table"]["LatestStreamArn"]
        self.assertNotEqual(old, new)
        described = streams.describe_stream(StreamArn=old)["StreamDescription"]
        self.assertEqual("DISABLED", described["StreamStatus"])
        answer = self.read(streams, old, described["Shards"][0]["ShardId"])
        self.assertEqual(1, len(answer["Records"]))
        self.assertNotIn("NextShardIterator", answer)

    def test_objects_have_versions_and_conditions(self):
        self.cloud.s3.bucket(name="b")
        s3 = self.client("s3")
        first = s3.put_object(Bucket="b", Key="a b/ü+.json", Body=b"{}", IfNoneMatch="*")
        with self.assertRaises(s3.exceptions.ClientError) as caught:
            s3.put_object(Bucket="b", Key="a b/ü+.json", Body=b"{}", IfNoneMatch="*")
        self.assertEqual("PreconditionFailed", caught.exception.response["Error"]["Code"])
        second = s3.put_object(Bucket="b", Key="a b/ü+.json", Body=b"[]", IfMatch=first["ETag"])
        self.assertNotEqual(first["VersionId"], second["VersionId"])
        got = s3.get_object(Bucket="b", Key="a b/ü+.json")
        self.assertEqual((b"[]", second["ETag"]), (got["Body"].read(), got["ETag"]))
        with self.assertRaises(s3.exceptions.ClientError) as caught:
            s3.get_object(Bucket="b", Key="a b/ü+.json", IfNoneMatch=got["ETag"])
        self.assertEqual("304", caught.exception.response["Error"]["Code"])
        old = s3.get_object(Bucket="b", Key="a b/ü+.json", VersionId=first["VersionId"])
        self.assertEqual(b"{}", old["Body"].read())
        s3.delete_object(Bucket="b", Key="a b/ü+.json")
        with self.assertRaises(s3.exceptions.NoSuchKey):
            s3.get_object(Bucket="b", Key="a b/ü+.json")

    def test_a_listing_has_pages(self):
        self.cloud.s3.bucket(name="b")
        s3 = self.client("s3")
        for name in ("x/1", "x/2", "x/ü", "y/1"):
            s3.put_object(Bucket="b", Key=name, Body=b"")
        self.cloud.s3.page(keys=2)
        pages = list(s3.get_paginator("list_objects_v2").paginate(Bucket="b", Prefix="x/"))
        self.assertEqual([["x/1", "x/2"], ["x/ü"]],
                         [[c["Key"] for c in p["Contents"]] for p in pages])

    def test_a_bucket_elsewhere_says_where(self):
        self.cloud.s3.bucket(name="b", region="us-west-2", elsewhere=400)
        s3 = self.client("s3")
        s3.put_object(Bucket="b", Key="k", Body=b"redirected by the client")
        regions = [e["headers"] and e["status"] for e in self.cloud.seen("s3")]
        self.assertEqual(200, regions[-1])
        self.assertIn(400, regions)

    def test_a_bucket_tells_its_queue(self):
        self.cloud.s3.bucket(name="b")
        self.cloud.sqs.create(name="q")
        self.cloud.s3.notify(name="b", queue="q")
        self.client("s3").put_object(Bucket="b", Key="a b.json", Body=b"{}")
        sqs = self.client("sqs")
        url = sqs.get_queue_url(QueueName="q")["QueueUrl"]
        messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
        bodies = [json.loads(m["Body"]) for m in messages]
        self.assertEqual("s3:TestEvent", bodies[0]["Event"])
        self.assertEqual("a+b.json", bodies[1]["Records"][0]["s3"]["object"]["key"])
        self.assertNotIn("Messages", sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1))
        for message in messages:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        self.assertEqual(0, self.cloud.sqs.left(name="q"))

    def test_a_build_progresses_and_a_token_starts_one_build_only(self):
        self.cloud.codebuild.project(name="site", seconds=0.2, outcomes=["FAILED"])
        builds = self.client("codebuild")
        first = builds.start_build(projectName="site", idempotencyToken="t")["build"]
        again = builds.start_build(projectName="site", idempotencyToken="t")["build"]
        self.assertEqual(first["id"], again["id"])
        with self.assertRaises(builds.exceptions.InvalidInputException):
            builds.start_build(projectName="site", idempotencyToken="t", sourceVersion="x")

        def ended():
            found = builds.batch_get_builds(ids=[first["id"], "site:none"])
            self.assertEqual(["site:none"], found["buildsNotFound"])
            return found["builds"][0] if found["builds"][0]["buildComplete"] else None

        build = until("the build's end", ended)
        self.assertEqual("FAILED", build["buildStatus"])
        failed = [p for p in build["phases"] if p.get("phaseStatus") == "FAILED"]
        self.assertEqual(["BUILD"], [p["phaseType"] for p in failed])
        self.cloud.codebuild.project(name="site", seconds=None)
        running = builds.start_build(projectName="site")["build"]["id"]
        self.assertEqual("STOPPED", builds.stop_build(id=running)["build"]["buildStatus"])
        self.assertEqual([running, first["id"]],
                         builds.list_builds_for_project(projectName="site")["ids"])

    def test_distributions_come_in_pages_and_a_reference_counts_once(self):
        for number in range(3):
            self.cloud.cloudfront.distribution(name=f"E{number}",
                                               origins=[f"b{number}.s3.amazonaws.com"])
        self.cloud.cloudfront.page(distributions=2)
        cloudfront = self.client("cloudfront")
        pages = list(cloudfront.get_paginator("list_distributions").paginate())
        names = [[d["Id"] for d in p["DistributionList"]["Items"]] for p in pages]
        self.assertEqual([["E0", "E1"], ["E2"]], names)
        batch = {"Paths": {"Quantity": 1, "Items": ["/*"]}, "CallerReference": "r"}
        made = [cloudfront.create_invalidation(DistributionId="E1", InvalidationBatch=batch)
                for _ in range(2)]
        self.assertEqual(1, len({m["Invalidation"]["Id"] for m in made}))
        batch["Paths"]["Items"] = ["/x"]
        with self.assertRaises(cloudfront.exceptions.ClientError) as caught:
            cloudfront.create_invalidation(DistributionId="E1", InvalidationBatch=batch)
        self.assertEqual("InvalidationBatchAlreadyExists",
                         caught.exception.response["Error"]["Code"])
        self.cloud.cloudfront.limit(limit=1)
        batch["CallerReference"] = "s"
        with self.assertRaises(cloudfront.exceptions.TooManyInvalidationsInProgress):
            cloudfront.create_invalidation(DistributionId="E1", InvalidationBatch=batch)
        name = made[0]["Invalidation"]["Id"]
        until("the invalidation", lambda: cloudfront.get_invalidation(
            DistributionId="E1", Id=name)["Invalidation"]["Status"] == "Completed")

    def test_parameters_and_roles(self):
        self.cloud.ssm.set(name="/site/token", value="t0k3n")
        ssm = self.client("ssm")
        found = ssm.get_parameter(Name="/site/token", WithDecryption=True)
        self.assertEqual("t0k3n", found["Parameter"]["Value"])
        with self.assertRaises(ssm.exceptions.ParameterNotFound):
            ssm.get_parameter(Name="/none")
        sts = self.client("sts")
        role = sts.assume_role(RoleArn="arn:aws:iam::123456789012:role/site",
                               RoleSessionName="session")["Credentials"]
        self.assertEqual(secret_of(role["AccessKeyId"]), role["SecretAccessKey"])
        other = sts.assume_role_with_web_identity(
            RoleArn="arn:aws:iam::123456789012:role/site", RoleSessionName="session",
            WebIdentityToken="a.b.c.d")
        self.assertIn("SessionToken", other["Credentials"])

    def test_trouble_comes_as_often_as_asked(self):
        items, _ = self.table_with_stream()
        self.cloud.trouble("dynamodb", operation="DescribeTable", times=1, status=400,
                           code="ThrottlingException")
        with self.assertRaises(items.exceptions.ClientError) as caught:
            items.describe_table(TableName="items")
        self.assertEqual("ThrottlingException", caught.exception.response["Error"]["Code"])
        items.describe_table(TableName="items")
        self.cloud.trouble("dynamodb", cut="before")
        with self.assertRaises(Exception):
            items.describe_table(TableName="items")
        self.cloud.calm()
        items.describe_table(TableName="items")


class TheJudge(unittest.TestCase):
    """A judge that lets everything pass is none."""

    def setUp(self):
        cloud = StandIn()
        self.addCleanup(cloud.stop)
        cloud.s3.bucket(name="b")
        cloud.codebuild.project(name="site")
        for name, call in (("s3", lambda c: c.put_object(Bucket="b", Key="k", Body=b"x")),
                           ("codebuild", lambda c: c.start_build(projectName="site"))):
            client = judge.client(name, cloud.address, KEY_ID, SECRET)
            call(client)
            client.close()
        self.put, self.start = cloud.seen()

    def verdict(self, entry, **changes):
        return "; ".join(judge.complaints(dict(entry, **changes), secret_of))

    def with_header(self, entry, name, value):
        headers = [[n, value if n.lower() == name else v] for n, v in entry["headers"]]
        return self.verdict(entry, headers=headers)

    def test_what_amazon_wrote_passes(self):
        self.assertEqual("", self.verdict(self.put))
        self.assertEqual("", self.verdict(self.start))

    def test_another_body_is_noticed(self):
        self.assertIn("x-amz-content-sha256", self.verdict(self.put, body="y"))
        self.assertIn("does not match", self.verdict(self.start, body='{"projectName": "x"}'))

    def test_another_path_is_noticed(self):
        self.assertIn("does not match", self.verdict(self.put, target="/b/l"))

    def test_another_secret_is_noticed(self):
        found = judge.complaints(self.start, lambda _: "wrong")
        self.assertIn("does not match", "; ".join(found))

    def test_an_unsigned_amazon_header_is_noticed(self):
        headers = self.put["headers"] + [["x-amz-meta-a", "1"]]
        self.assertIn("x-amz-meta-a is not signed", self.verdict(self.put, headers=headers))

    def test_an_old_date_is_noticed(self):
        self.assertIn("15 minutes", self.with_header(self.put, "x-amz-date", "20200101T000000Z"))

    def test_unknown_missing_and_mistyped_members_are_noticed(self):
        self.assertIn("Unknown parameter", self.verdict(
            self.start, body='{"projectName": "site", "sourceversion": "x"}'))
        self.assertIn("Missing required", self.verdict(self.start, body="{}"))
        self.assertIn("Invalid type", self.verdict(self.start, body='{"projectName": 3}'))

    def test_a_wrong_content_type_is_noticed(self):
        self.assertIn("Content-Type", self.with_header(self.start, "content-type",
                                                       "application/json"))


if __name__ == "__main__":
    unittest.main()
