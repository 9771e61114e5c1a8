"""Sources against a cloud in trouble: nothing is lost, nothing is silent."""

import json
import unittest

from flow.flow import Flow
from flow.hooks import push_payload
from flow.parts import rule, sink

ITEMS = """
[source items]
plugin = ddb-stream
table = items
poll = 250ms
relist = 1s
start = %s
""" + sink() + rule("all", "dynamodb.item.*", "out")


class Base(unittest.TestCase):
    def expect_subjects(self, flow, *subjects):
        flow.until(f"{subjects}", lambda: len(flow.bodies()) >= len(subjects))
        flow.settled()
        self.assertEqual(sorted(subjects), sorted(b.get("subject", "") for b in flow.bodies()))


class DynamoStreams(Base):
    def flow(self, start="trim-horizon", items=(), stream="NEW_AND_OLD_IMAGES"):
        flow = Flow(self, ITEMS % start, start=False)
        flow.cloud.create_table("items", stream=stream)
        for name in items:
            flow.cloud.put_item("items", id=name)
        return flow

    def test_from_the_trim_horizon_old_records_come_too(self):
        with self.flow(items="ab") as flow:
            flow.start()
            flow.cloud.put_item("items", id="c")
            self.expect_subjects(flow, "a", "b", "c")

    def test_from_latest_only_new_ones_come(self):
        with self.flow("latest", items="ab") as flow:
            flow.start()
            flow.until("a look", lambda: flow.cloud.seen("streams", "GetRecords"))
            flow.cloud.put_item("items", id="c")
            self.expect_subjects(flow, "c")

    def test_a_restart_goes_on_where_it_was(self):
        with self.flow(items="ab") as flow:
            flow.start()
            self.expect_subjects(flow, "a", "b")
            flow.stop()
            flow.cloud.put_item("items", id="c")
            flow.start()
            self.expect_subjects(flow, "a", "b", "c")

    def test_parents_come_before_children_and_every_shard_is_read(self):
        with self.flow() as flow:
            flow.cloud.streams.page(shards=2)
            names = [f"i{n}" for n in range(12)]
            for n, name in enumerate(names):
                flow.cloud.put_item("items", id=name, n=1)
                flow.cloud.put_item("items", id=name, n=2)
                if n in (3, 7):
                    flow.cloud.streams.split(table="items")
                    flow.cloud.put_item("items", id=name, n=3)
            flow.start()
            flow.until("all records", lambda: len(flow.bodies()) >= 26)
            flow.settled()
            for name in names:
                seen = [b["data"]["new"]["n"] for b in flow.bodies() if b["subject"] == name]
                self.assertEqual(sorted(seen), seen)

    def test_a_shard_split_while_running_is_followed(self):
        with self.flow() as flow:
            flow.start()
            flow.cloud.put_item("items", id="a")
            self.expect_subjects(flow, "a")
            flow.cloud.streams.split(table="items")
            for name in "bcdef":
                flow.cloud.put_item("items", id=name)
            self.expect_subjects(flow, *"abcdef")

    def test_expired_iterators_throttling_and_empty_pages_lose_nothing(self):
        with self.flow(items="a") as flow:
            flow.start()
            self.expect_subjects(flow, "a")
            flow.cloud.streams.expire()
            flow.cloud.streams.empty(pages=2)
            flow.cloud.trouble("streams", operation="GetRecords", times=2, status=400,
                               code="ProvisionedThroughputExceededException")
            flow.cloud.trouble("streams", operation="GetRecords", times=1, skip=2, cut="half")
            flow.cloud.trouble("streams", operation="GetRecords", times=1, skip=3, status=200,
                               body="not JSON")
            flow.cloud.put_item("items", id="b")
            self.expect_subjects(flow, "a", "b")

    def test_trimmed_records_are_a_gap_event_never_silence(self):
        with self.flow(items="ab") as flow:
            flow.start()
            self.expect_subjects(flow, "a", "b")
            flow.stop()
            for name in "cde":
                flow.cloud.put_item("items", id=name)
            flow.cloud.streams.trim(table="items", keep=1)
            flow.start()
            flow.expect_events("dynamodb.stream.gap")
            flow.until("e", lambda: any(b.get("subject") == "e" for b in flow.bodies()))

    def test_a_toggled_stream_is_found_again(self):
        with self.flow(items="a") as flow:
            flow.start()
            self.expect_subjects(flow, "a")
            flow.cloud.toggle_stream("items")
            flow.cloud.put_item("items", id="b")
            self.expect_subjects(flow, "a", "b")

    def test_a_record_of_unknown_shape_is_a_dead_letter_and_the_shard_goes_on(self):
        with self.flow(items="a") as flow:
            flow.start()
            flow.cloud.streams.inject(table="items", record={
                "eventID": "strange", "eventName": "MODIFY",
                "dynamodb": {"Keys": {"id": {"S": "x"}}, "NewImage": {"id": {"Q": "?"}}}})
            flow.cloud.put_item("items", id="b")
            flow.until("b", lambda: any(b.get("subject") == "b" for b in flow.bodies()))
            letter = flow.expect_dead()[0]
            self.assertIn("shardId", json.dumps(letter) + flow.cli("dlq", "show",
                                                                   letter["id"]).stdout)

    def test_a_stream_without_both_images_is_refused_at_start(self):
        with self.flow(stream="NEW_IMAGE") as flow:
            flow.start(ready=False)
            flow.until("the reason", lambda: "NEW_AND_OLD_IMAGES" in flow.readiness()[1])

    def test_numbers_keep_every_digit_and_sets_are_sorted(self):
        with self.flow() as flow:
            flow.start()
            flow.cloud.put_item("items", id="a",
                                n={"N": "12345678901234567890.1234567890123456"},
                                s={"SS": ["b", "a"]}, m={"M": {"x": {"L": [{"NULL": True}]}}},
                                b={"B": "aGk="})
            self.expect_subjects(flow, "a")
            raw = flow.cloud.seen("sink", "out")[0]["body"]
            self.assertIn("12345678901234567890.1234567890123456", raw)
            new = json.loads(raw)["data"]["new"]
            self.assertEqual((["a", "b"], {"x": [None]}, "aGk="), (new["s"], new["m"], new["b"]))


OBJECTS = """
[source objects]
plugin = s3
bucket = site
poll = 1s
%s
""" + sink() + rule("all", "s3.*", "out")
QUEUE = "queue = https://sqs.eu-west-1.amazonaws.com/123456789012/changes"


class Objects(Base):
    def flow(self, more, **bucket):
        flow = Flow(self, OBJECTS % more, start=False)
        flow.cloud.s3.bucket(name="site", **bucket)
        return flow

    def test_keys_are_polled_with_conditional_requests(self):
        with self.flow("keys = a.json, b.json") as flow:
            flow.cloud.s3.put(bucket="site", key="a.json", body="1")
            flow.start()
            flow.until("the first", lambda: len(flow.bodies()) == 1)
            self.assertTrue(flow.bodies()[0]["data"]["first"])
            flow.until("a 304", lambda: any(e["status"] == 304 for e in flow.cloud.seen("s3")))
            version = flow.cloud.s3.put(bucket="site", key="a.json", body="2")
            flow.until("the second", lambda: len(flow.bodies()) == 2)
            data = flow.bodies()[1]["data"]
            self.assertEqual(("site", "a.json", version, False),
                             (data["bucket"], data["key"], data["version-id"], data["first"]))
            flow.cloud.s3.delete(bucket="site", key="a.json")
            flow.expect_events("s3.object.removed")

    def test_a_prefix_is_listed_page_by_page(self):
        with self.flow("prefix = x/") as flow:
            flow.cloud.s3.page(keys=2)
            for name in "abcde":
                flow.cloud.s3.put(bucket="site", key=f"x/{name} ü.json", body=name)
            flow.cloud.s3.put(bucket="site", key="y/other", body="")
            flow.start()
            flow.until("all", lambda: len(flow.bodies()) >= 5)
            flow.settled()
            keys = sorted(b["data"]["key"] for b in flow.bodies())
            self.assertEqual([f"x/{name} ü.json" for name in "abcde"], keys)

    def queued(self, form):
        with self.flow(QUEUE) as flow:
            flow.cloud.sqs.create(name="changes")
            flow.cloud.s3.notify(name="site", queue="changes", form=form)
            flow.start()
            version = flow.cloud.s3.put(bucket="site", key="a b+c.json", body="1")
            flow.until("the event", lambda: flow.bodies())
            data = flow.bodies()[0]["data"]
            self.assertEqual(("a b+c.json", version), (data["key"], data["version-id"]))
            flow.until("an empty queue", lambda: flow.cloud.sqs.left(name="changes") == 0)

    def test_a_queue_with_notifications_of_s3(self):
        self.queued("s3")

    def test_a_queue_with_events_of_eventbridge(self):
        self.queued("eventbridge")

    def test_a_queue_with_notifications_wrapped_by_sns(self):
        self.queued("sns")

    def test_a_message_nobody_understands_is_a_dead_letter_not_a_stop(self):
        with self.flow(QUEUE) as flow:
            flow.cloud.sqs.create(name="changes", visibility=1)
            flow.cloud.s3.notify(name="site", queue="changes")
            flow.start()
            flow.cloud.sqs.send(name="changes", body="not JSON at all")
            flow.cloud.s3.put(bucket="site", key="a", body="1")
            flow.until("the event", lambda: flow.bodies())
            self.assertIn("not JSON at all", flow.cli(
                "dlq", "show", flow.expect_dead()[0]["id"]).stdout)

    def test_a_bucket_in_another_region_is_found(self):
        for answer in (301, 400, 307):
            with self.subTest(answer=answer), \
                    self.flow("keys = a", region="us-west-2", elsewhere=answer) as flow:
                flow.cloud.s3.put(bucket="site", key="a", body="1")
                flow.start()
                flow.until("the event", lambda: flow.bodies())


REPOSITORY = """
[source repo]
plugin = github
api = ${env:GITHUB_API}
repository = acme/site
branches = main, release-*
secret = ${credential:github-webhook}
sweep = 1s
""" + sink() + rule("all", "github.*", "out")


class Repository(Base):
    def flow(self):
        flow = Flow(self, REPOSITORY, start=False)
        flow.cloud.github.repository(name="acme/site")
        flow.cloud.github.push(name="acme/site", branch="main")
        return flow

    def heads(self, flow):
        return [b["data"]["after"] for b in flow.bodies() if b["type"] == "github.push"]

    def push(self, flow, **how):
        return flow.push(path="/repo", **how)

    def expect_heads(self, flow, *heads):
        flow.until(f"{heads}", lambda: len(self.heads(flow)) >= len(heads))
        flow.settled()
        self.assertEqual(list(heads), self.heads(flow))

    def first(self, flow):
        flow.start()
        flow.until("the first head", lambda: self.heads(flow))
        return self.heads(flow)[0]

    def test_a_push_seen_by_webhook_and_sweep_is_one_event(self):
        with self.flow() as flow:
            first = self.first(flow)
            pushed = self.push(flow)
            self.expect_heads(flow, first, pushed)
            asked = len(flow.cloud.seen("github"))
            flow.until("a sweep", lambda: len(flow.cloud.seen("github")) > asked)
            self.expect_heads(flow, first, pushed)

    def test_a_lost_webhook_is_made_up_for(self):
        with self.flow() as flow:
            first = self.first(flow)
            lost = flow.cloud.github.push(name="acme/site", branch="main")["after"]
            self.expect_heads(flow, first, lost)

    def test_a_push_back_to_an_earlier_commit_is_a_new_event(self):
        with self.flow() as flow:
            first = self.first(flow)
            second = self.push(flow)
            self.expect_heads(flow, first, second)
            flow.cloud.github.push(name="acme/site", branch="main", sha=first)
            self.expect_heads(flow, first, second, first)

    def test_a_late_redelivery_makes_none(self):
        with self.flow() as flow:
            first = self.first(flow)
            moved = flow.cloud.github.push(name="acme/site", branch="main")
            payload = push_payload("acme/site", "main", **moved)
            self.assertEqual(202, flow.github("push", payload, path="/repo"))
            second = self.push(flow, delivery="d-2")
            self.expect_heads(flow, first, moved["after"], second)
            flow.github("push", payload, path="/repo")
            flow.github("push", payload, path="/repo", delivery="d-1-again")
            asked = len(flow.cloud.seen("github"))
            flow.until("a sweep", lambda: len(flow.cloud.seen("github")) > asked)
            self.expect_heads(flow, first, moved["after"], second)

    def test_unchanged_branches_cost_nothing_of_the_limit(self):
        with self.flow() as flow:
            self.first(flow)
            flow.until("a 304", lambda: any(e["status"] == 304
                                            for e in flow.cloud.seen("github")))


if __name__ == "__main__":
    unittest.main()
