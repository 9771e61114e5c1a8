"""Real GitHub payloads, all of @octokit/webhooks-examples, signed by @octokit/webhooks-methods."""

import collections
import json
import pathlib
import re
import subprocess
import unittest

from flow.flow import Flow
from flow.router import WEBHOOK_SECRET

SCRIPT = pathlib.Path(__file__).with_name("sign_payloads.mjs")
CONFIGURATION = """
[source hooks]
plugin = github
api = ${env:GITHUB_API}
secret = ${credential:github-webhook}
"""


class RealPayloads(unittest.TestCase):
    def test_every_payload_is_accepted_under_its_type(self):
        lines = subprocess.run(["node", str(SCRIPT), WEBHOOK_SECRET], check=True, text=True,
                               capture_output=True).stdout.splitlines()
        payloads = [json.loads(line) for line in lines]
        self.assertGreater(len(payloads), 300)
        with Flow(self, CONFIGURATION) as flow:
            expected = collections.Counter()
            for number, payload in enumerate(payloads):
                status = flow.post("/hooks", payload["body"].encode(), {
                    "X-GitHub-Event": payload["event"], "X-GitHub-Delivery": f"d-{number}",
                    "X-Hub-Signature-256": payload["signature"]})
                self.assertEqual(200 if payload["event"] == "ping" else 202, status,
                                 payload["event"])
                expected[self.kind(payload)] += 1
            found = collections.Counter(e["type"] for e in flow.events())
            # A push is an event when it moves a head, and so is the end of a ref.
            for kind in ("github.ping", "github.push"):
                del expected[kind]
            self.assertGreater(found.pop("github.push"), 0)
            found.pop("github.ref.deleted", None)
            self.assertEqual(expected, found)

    @staticmethod
    def kind(payload):
        action = json.loads(payload["body"]).get("action")
        kind = "github." + payload["event"]
        word = isinstance(action, str) and re.fullmatch("[a-z0-9_-]{1,63}", action)
        return f"{kind}.{action}" if word else kind

    def test_a_tampered_payload_is_refused(self):
        line = subprocess.run(["node", str(SCRIPT), WEBHOOK_SECRET], check=True, text=True,
                              capture_output=True).stdout.splitlines()[0]
        payload = json.loads(line)
        with Flow(self, CONFIGURATION) as flow:
            status = flow.post("/hooks", payload["body"].encode() + b" ", {
                "X-GitHub-Event": payload["event"], "X-GitHub-Delivery": "d",
                "X-Hub-Signature-256": payload["signature"]})
            self.assertEqual(401, status)


if __name__ == "__main__":
    unittest.main()
