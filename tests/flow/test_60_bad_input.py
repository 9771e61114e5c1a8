"""What bad input gets: the table of the webhook, of intake, of answers from outside."""

import json
import os
import shutil
import socket
import unittest

from flow.flow import CLOUDEVENT, Flow
from flow.hooks import signature
from flow.parts import IN, event, rule, sink
from flow.router import PLUGINS, SLOW

HOOKS = """
[source repo]
plugin = github
api = ${env:GITHUB_API}
repository = acme/site
secret = ${credential:github-webhook}, ${env:OLD_SECRET}
""" + IN + sink(more='body = {"n": "{{ data.n }}"}') + rule("all", "order.*", "out")


class Incoming(unittest.TestCase):
    """One program for all: each case asks and is refused, and nothing of it stays."""

    @classmethod
    def setUpClass(cls):
        case = cls("id")
        cls.shared = Flow(case, HOOKS, environment={"OLD_SECRET": "older-secret"}, start=False)
        cls.shared.cloud.github.repository(name="acme/site")
        cls.shared.start()

    @classmethod
    def tearDownClass(cls):
        cls.shared.__exit__(None, None, None)

    def setUp(self):
        self.flow = self.shared

    def hook(self, body, **headers):
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        given = {"X-GitHub-Event": "issues", "X-GitHub-Delivery": self.id(),
                 "X-Hub-Signature-256": signature(body), **headers}
        return self.flow.post("/repo", body, {k: v for k, v in given.items() if v is not None})

    def intake(self, body, **headers):
        return self.flow.request("POST", "/in", body, {**CLOUDEVENT, **headers})

    def test_no_signature_is_401(self):
        self.assertEqual(401, self.hook({}, **{"X-Hub-Signature-256": None}))

    def test_a_wrong_signature_is_401(self):
        self.assertEqual(401, self.hook({}, **{"X-Hub-Signature-256": signature(b"other")}))
        self.assertEqual(401, self.hook({}, **{"X-Hub-Signature-256": "sha256=zz"}))

    def test_both_secrets_are_valid_at_once(self):
        body = {"action": "opened", "repository": {"full_name": "acme/site"}, "sender": {}}
        for secret in ("hook-secret-of-tests", "older-secret"):
            raw = json.dumps(dict(body, secret=len(secret))).encode()
            self.assertEqual(202, self.hook(raw, **{
                "X-Hub-Signature-256": signature(raw, secret), "X-GitHub-Delivery": secret[:4]}))

    def test_an_unknown_path_is_404(self):
        self.assertEqual(404, self.flow.post("/nowhere", {}))

    def test_a_method_not_allowed_is_405(self):
        self.assertEqual(405, self.flow.request("GET", "/repo")[0])

    def test_too_large_is_413(self):
        self.assertEqual(413, self.flow.request(
            "POST", "/in", b'{"x": "' + b"x" * (40 * 1024 * 1024) + b'"}', CLOUDEVENT)[0])

    def test_not_json_is_400_with_the_position(self):
        status, text = self.intake(b'{"specversion": "1.0",\n "id": }')
        self.assertEqual(400, status)
        self.assertRegex(text, r"2.*8|line 2")

    def test_a_signed_webhook_that_is_not_json_is_400(self):
        self.assertEqual(400, self.hook(b"{not json"))

    def test_a_duplicate_key_is_400(self):
        status, text = self.intake(
            b'{"specversion":"1.0","id":"1","source":"s","type":"a.b","data":{"x":1,"x":2}}')
        self.assertEqual(400, status)
        self.assertIn("x", text)

    def test_broken_utf8_is_400(self):
        status, _ = self.intake(
            b'{"specversion":"1.0","id":"1","source":"s","type":"a.b","data":{"x":"\xff"}}')
        self.assertEqual(400, status)

    def test_nested_too_deep_is_400(self):
        deep = "[" * 200 + "]" * 200
        self.assertEqual(400, self.intake(
            b'{"specversion":"1.0","id":"1","source":"s","type":"a.b","data":{"x":%s}}'
            % deep.encode())[0])

    def test_an_event_over_a_megabyte_is_refused(self):
        big = json.dumps(event(x="x" * (1024 * 1024 + 10))).encode()
        self.assertIn(self.intake(big)[0], (400, 413))

    def test_an_empty_body_is_400(self):
        self.assertEqual(400, self.intake(b"")[0])

    def test_nothing_of_a_refused_payload_is_in_the_log(self):
        self.hook({"canary": "dead-canary-1"}, **{"X-Hub-Signature-256": signature(b"other")})
        self.intake(b'{"canary": "dead-canary-2"')
        self.assertNotIn("dead-canary", self.flow.log())

    def test_refusals_are_counted(self):
        self.hook({}, **{"X-Hub-Signature-256": None})
        text = self.flow.get("/metrics")[1]
        self.assertRegex(text, r"(?m)^pointsman_\w*\{.*(bad_signature|401).*\} [1-9]")

    def test_ping_is_answered(self):
        self.assertIn(self.hook({"zen": "x"}, **{"X-GitHub-Event": "ping"}), (200, 202))


WEBHOOK = json.dumps(event(1)).encode()
REQUEST = (b"POST /in HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/cloudevents+json\r\n"
           b"Content-Length: %d\r\n\r\n%s" % (len(WEBHOOK), WEBHOOK))


class SlowSender(unittest.TestCase):
    def connect(self, flow, begin):
        peer = socket.create_connection(("127.0.0.1", flow.listen), timeout=60 * SLOW)
        self.addCleanup(peer.close)
        peer.sendall(begin)
        return peer

    def test_a_request_that_stops_at_any_byte_is_408_and_nothing_of_it_is_accepted(self):
        with Flow(self, IN) as flow:
            slow = {n: self.connect(flow, REQUEST[:n]) for n in range(1, len(REQUEST))}
            for number, peer in slow.items():
                self.assertTrue(peer.recv(4096).startswith(b"HTTP/1.1 408 "), f"byte {number}")
            self.assertEqual([], flow.events())
            self.assertIn(f'pointsman_http_refused_total{{status="408"}} {len(slow)}',
                          flow.get("/metrics")[1])

    def test_senders_that_never_end_keep_nobody_out(self):
        with Flow(self, IN) as flow:
            slow = [self.connect(flow, REQUEST[:n % len(REQUEST)]) for n in range(600)]
            flow.receive(event(2))
            health = [socket.create_connection(("127.0.0.1", flow.metrics)) for _ in range(40)]
            self.assertEqual(200, flow.get("/healthz")[0])
            for peer in slow + health:
                peer.close()


class Templates(unittest.TestCase):
    def test_an_absent_path_is_a_dead_letter_naming_it_and_nothing_is_sent(self):
        with Flow(self, HOOKS, environment={"OLD_SECRET": "x"}, start=False) as flow:
            flow.cloud.github.repository(name="acme/site")
            flow.start()
            flow.receive(event())
            self.assertIn("data.n", flow.expect_dead()[0]["why"])
            self.assertEqual([], flow.cloud.seen("sink"))


METADATA = IN + """
[action write]
plugin = s3-metadata-writer
bucket = site
key = a.json
merge = {"n": "{{ data.n }}"}
retry = 1m, 50ms..200ms

[sink refresh]
plugin = cloudfront-invalidate
bucket = site
retry = 1m, 50ms..200ms

[sink tell]
plugin = slack
token = ${env:SLACK_TOKEN}
api = ${env:CLOUD}/slack/api
channel = site
text = {{ data.n }}
retry = 1m, 50ms..200ms
""" + "".join(rule(name, f"order.{name}", name) for name in ("write", "refresh", "tell"))
BOMB = ('<?xml version="1.0"?><!DOCTYPE b [<!ENTITY a "aaaaaaaaaa">'
        + "".join(f'<!ENTITY {chr(98 + i)} "{("&" + chr(97 + i) + ";") * 10}">' for i in range(9))
        + "]><DistributionList><Marker>&j;</Marker></DistributionList>")


class AnswersFromOutside(unittest.TestCase):
    """Whatever comes first, the second answer is the right one and the duty is done."""

    def flow(self):
        flow = Flow(self, METADATA, environment={"SLACK_TOKEN": "xoxb-tests"}, start=False)
        flow.cloud.s3.bucket(name="site")
        flow.cloud.s3.put(bucket="site", key="a.json", body="{}")
        flow.cloud.cloudfront.distribution(name="ESITE", origins=["site.s3.amazonaws.com"])
        return flow

    def done_after(self, kind, service, operation, **trouble):
        with self.flow() as flow:
            flow.cloud.trouble(service, operation=operation, times=1, **trouble)
            flow.start()
            flow.receive(event(kind="order." + kind, n="1"))
            flow.until("the trouble", lambda: flow.cloud.seen(service, operation))
            flow.settled()
            return flow.letters(), len(flow.cloud.seen(service, operation))

    def retried(self, kind, service, operation, **trouble):
        letters, tries = self.done_after(kind, service, operation, **trouble)
        self.assertEqual([], letters)
        self.assertGreater(tries, 1)

    def retried_or_dead(self, kind, service, operation, **trouble):
        letters, tries = self.done_after(kind, service, operation, **trouble)
        self.assertTrue(letters or tries > 1)
        for letter in letters:
            self.assertTrue(letter["why"])

    def test_cut_connections_are_retried(self):
        self.retried("write", "s3", "PutObject", cut="before")
        self.retried("refresh", "cloudfront", "CreateInvalidation", cut="after")

    def test_truncated_answers_are_retried(self):
        self.retried("refresh", "cloudfront", "ListDistributions", cut="half")

    def test_an_entity_bomb_costs_nothing(self):
        self.retried_or_dead("refresh", "cloudfront", "ListDistributions", status=200, body=BOMB)

    def test_not_xml_is_retried_or_dead(self):
        self.retried_or_dead("refresh", "cloudfront", "ListDistributions", status=200,
                             body="<DistributionList><Items>")

    def test_not_json_is_retried_or_dead(self):
        self.retried_or_dead("tell", "slack", "chat.postMessage", status=200, body="<html>")

    def test_wrong_types_are_retried_or_dead(self):
        self.retried_or_dead("tell", "slack", "chat.postMessage", status=200, body='{"ok": [1]}')

    def test_a_huge_answer_is_retried_or_dead(self):
        self.retried_or_dead("refresh", "cloudfront", "ListDistributions", status=200,
                             body="<DistributionList>" + " " * 20_000_000)

    def test_an_error_inside_status_200_is_dead_or_retried_as_it_says(self):
        self.retried("tell", "slack", "chat.postMessage", status=200,
                     body='{"ok": false, "error": "internal_error"}')
        letters, _ = self.done_after("tell", "slack", "chat.postMessage", status=200,
                                     body='{"ok": false, "error": "channel_not_found"}')
        self.assertIn("channel_not_found", letters[0]["why"])

    def test_a_server_that_ignores_conditions_is_noticed(self):
        with self.flow() as flow:
            flow.cloud.s3.bucket(name="site", conditions=False)
            flow.start()
            flow.receive(event(kind="order.write", n="1"))
            flow.settled()
            self.assertEqual({"n": "1"}, flow.object("a.json", "site"))
            self.assertIn("ignores If-Match", flow.log())

    def test_a_conflict_is_read_again_and_applied_again(self):
        self.retried("write", "s3", "PutObject", status=409, code="ConditionalRequestConflict")
        self.retried("write", "s3", "PutObject", status=412, code="PreconditionFailed")


class Plugins(unittest.TestCase):
    """A plugin that is refused is named, in `check` and at start, with what to do."""

    CONFIGURATION = "[sink out]\nplugin = %s\npath = /dev/null\n\n[rule all]\non = *\ndo = out\n"

    def refused(self, name, prepare, *words):
        with Flow(self, self.CONFIGURATION % name, start=False) as flow:
            folder = flow.directory / "plugins"
            shutil.copytree(PLUGINS, folder, ignore=lambda _, names: [
                n for n in names if not n.endswith(".so")])
            os.chmod(folder, 0o755)
            prepare(folder)
            flow.configure(self.CONFIGURATION % name, {"plugins": folder})
            for verb in ("check", "run"):
                done = flow.cli(verb, check=False)
                self.assertEqual(78, done.returncode, done.stderr)
                for word in words:
                    self.assertIn(word, done.stdout + done.stderr)

    def test_a_missing_one(self):
        self.refused("filee", lambda _: None, "filee", "file")

    def test_a_world_writable_one(self):
        self.refused("file", lambda folder: os.chmod(folder / "file.so", 0o757), "file.so",
                     "writable")

    def test_a_world_writable_directory(self):
        self.refused("file", lambda folder: os.chmod(folder, 0o757), "writable")

    def test_one_that_is_no_plugin(self):
        def prepare(folder):
            shutil.copy("/lib/x86_64-linux-gnu/libz.so.1", folder / "none.so")
        self.refused("none", prepare, "none.so", "pointsman_plugin_v")

    def test_one_that_is_no_object_at_all(self):
        self.refused("text", lambda folder: (folder / "text.so").write_text("x"), "text.so")


class DamagedJournal(unittest.TestCase):
    def test_a_damaged_journal_is_set_aside_and_told(self):
        with Flow(self, IN + sink() + rule("all", "order.*", "out")) as flow:
            flow.receive(event(1))
            flow.until("delivery", lambda: flow.cloud.seen("sink"))
            flow.stop()
            damage(flow.directory / "state" / "journal.db")
            flow.start(ready=False)
            flow.expect_events("pointsman.journal.damaged")
            self.assertEqual(503, flow.readiness()[0])
            flow.cli("status", "--acknowledge")
            flow.until("readiness", flow.is_ready)
            flow.receive(event(2))
            flow.until("delivery", lambda: len(flow.cloud.seen("sink")) >= 2)


def damage(path):
    """Overwrite all pages but the first."""
    size = path.stat().st_size
    with open(path, "r+b") as file:
        file.seek(4096)
        file.write(os.urandom(size - 4096))


if __name__ == "__main__":
    unittest.main()
