"""Where credentials are found, that they are renewed, and a clock that is wrong."""

import unittest

from cloud.sts import secret_of
from flow.children import faked_time
from flow.flow import Flow

CONFIGURATION = """
[source objects]
plugin = s3
bucket = site
region = eu-west-1
keys = a.json
poll = 1s
"""
ROLE = "arn:aws:iam::123456789012:role/site"


class Credentials(unittest.TestCase):
    def flow(self, environment, files=None):
        flow = Flow(self, CONFIGURATION, files=files, start=False)
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            del flow.environment[name]
        flow.environment.update({k: v.format(cloud=flow.cloud.address, here=flow.directory)
                                 for k, v in environment.items()})
        flow.cloud.s3.bucket(name="site")
        flow.cloud.s3.put(bucket="site", key="a.json", body="1")
        return flow

    def read_with(self, prefix, environment, files=None):
        with self.flow(environment, files) as flow:
            flow.start()
            flow.expect_events("s3.object.changed")
            headers = dict(flow.cloud.seen("s3")[0]["headers"])
            self.assertIn(f"Credential={prefix}", headers["Authorization"])
            return flow

    def test_keys_of_a_profile(self):
        key_id = "AKIDPROFILE"
        self.read_with(key_id, {"AWS_PROFILE": "site", "AWS_SHARED_CREDENTIALS_FILE":
                                "{here}/credentials.ini"},
                       {"credentials.ini": f"[site]\naws_access_key_id = {key_id}\n"
                        f"aws_secret_access_key = {secret_of(key_id)}\n"})

    def test_a_role_assumed_by_a_profile(self):
        key_id = "AKIDPROFILE"
        self.read_with("ASIAROLE", {
            "AWS_PROFILE": "site", "AWS_CONFIG_FILE": "{here}/config.ini",
            "AWS_SHARED_CREDENTIALS_FILE": "{here}/credentials.ini"},
            {"config.ini": f"[profile site]\nrole_arn = {ROLE}\nsource_profile = base\n",
             "credentials.ini": f"[base]\naws_access_key_id = {key_id}\n"
             f"aws_secret_access_key = {secret_of(key_id)}\n"})

    def test_a_web_identity(self):
        self.read_with("ASIAROLE", {"AWS_ROLE_ARN": ROLE,
                                    "AWS_WEB_IDENTITY_TOKEN_FILE": "{here}/token"},
                       {"token": "e30.e30.sig"})

    def test_a_container(self):
        self.read_with("ASIACONT", {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": "{cloud}/_container/credentials",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": "container-token"})

    def test_the_metadata_service_of_an_instance(self):
        self.read_with("ASIAIMDS", {"AWS_EC2_METADATA_SERVICE_ENDPOINT": "{cloud}",
                                    "AWS_EC2_METADATA_DISABLED": "false"})

    def test_expired_ones_are_renewed(self):
        with self.flow({"AWS_CONTAINER_CREDENTIALS_FULL_URI": "{cloud}/_container/credentials",
                        "AWS_CONTAINER_AUTHORIZATION_TOKEN": "container-token"}) as flow:
            flow.start()
            flow.expect_events("s3.object.changed")
            flow.cloud.trouble("s3", times=1, status=400, code="ExpiredToken")
            before = len(flow.cloud.seen("machine"))
            flow.until("new ones", lambda: len(flow.cloud.seen("machine")) > before)
            flow.cloud.s3.put(bucket="site", key="a.json", body="2")
            flow.expect_events("s3.object.changed", 2)

    def test_a_clock_that_is_wrong_is_corrected(self):
        with self.flow({"AWS_ACCESS_KEY_ID": "AKIDSKEW",
                        "AWS_SECRET_ACCESS_KEY": secret_of("AKIDSKEW"),
                        **faked_time("+20m")}) as flow:
            flow.start()
            flow.expect_events("s3.object.changed")
            refused = [e for e in flow.cloud.seen("s3") if e["code"] == "RequestTimeTooSkewed"]
            self.assertEqual(1, len(refused))


if __name__ == "__main__":
    unittest.main()
