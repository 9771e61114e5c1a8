"""STS (AssumeRole, AssumeRoleWithWebIdentity), and the two places on a machine where
credentials are found: the container endpoint at /_container/ and IMDSv2 at /latest/."""

import hashlib
import itertools
import json
import time

from .wire import Answer, Refusal, Service, document, element, stamp

NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"
TOKEN = "imds-token"
NUMBERS = itertools.count(1)


def credentials(prefix, seconds):
    """The secret belongs to the key id, so that a judge can find it: see secret_of()."""
    key_id = f"{prefix}{next(NUMBERS):08d}"
    return {"AccessKeyId": key_id, "SecretAccessKey": secret_of(key_id),
            "SessionToken": "session-of-" + key_id, "Expiration": stamp(time.time() + seconds)}


def secret_of(key_id):
    return hashlib.sha1(key_id.encode()).hexdigest()


class STS(Service):
    name = "sts"
    signed = False  # AssumeRoleWithWebIdentity is not

    def __init__(self, cloud):
        super().__init__(cloud)
        self.seconds = 3600

    def claims(self, request):
        return request.body.startswith((b"Action=AssumeRole", b"Version=2011-06-15"))

    def operation(self, request):
        return request.form().get("Action", "")

    def answer(self, request):
        form = request.form()
        if form["Action"] == "AssumeRole" and not request.scope():
            raise Refusal(403, "MissingAuthenticationToken", "the request is not signed")
        if len(form.get("RoleSessionName", "")) < 2:
            raise Refusal(400, "ValidationError", "RoleSessionName is too short")
        found = credentials("ASIAROLE", self.seconds)
        result = element("Credentials", (element(k, v) for k, v in found.items()))
        user = element("AssumedRoleUser", [element("Arn", form["RoleArn"]),
                                           element("AssumedRoleId", "AROA:session")])
        action = form["Action"]
        return Answer(200, document(action + "Response",
                                    [element(action + "Result", [result, user])], NAMESPACE),
                      {"Content-Type": "text/xml"})

    def refuse(self, request, refusal):
        error = element("Error", [element("Type", "Sender"), element("Code", refusal.code),
                                  element("Message", refusal.message)])
        return Answer(refusal.status, document("ErrorResponse", [error], NAMESPACE),
                      {"Content-Type": "text/xml", **refusal.headers})

    # Levers.

    def do_lifetime(self, seconds):
        self.seconds = seconds


class Machine(Service):
    """What a container or an instance asks of the machine it runs on."""

    name = "machine"
    signed = False

    def claims(self, request):
        return request.path.startswith(("/_container/", "/latest/"))

    def operation(self, request):
        return request.path

    def answer(self, request):
        if request.path.startswith("/_container/"):
            return self.container(request)
        return self.instance(request)

    def container(self, request):
        if request.headers.get("Authorization") != "container-token":
            raise Refusal(403, "AccessDenied", "no container token")
        return self.keys("ASIACONT")

    def instance(self, request):
        if request.path == "/latest/api/token" and request.method == "PUT":
            return Answer(200, TOKEN)
        if request.headers.get("X-aws-ec2-metadata-token") != TOKEN:
            raise Refusal(401, "Unauthorized", "no token")
        if request.path.endswith("/security-credentials/"):
            return Answer(200, "site-role")
        return self.keys("ASIAIMDS")

    @staticmethod
    def keys(prefix):
        found = credentials(prefix, 3600)
        found["Token"] = found.pop("SessionToken")
        return Answer(200, json.dumps({"Code": "Success", "Type": "AWS-HMAC", **found}),
                      {"Content-Type": "application/json"})

    def refuse(self, request, refusal):
        return Answer(refusal.status, json.dumps({"code": refusal.code,
                                                  "message": refusal.message}),
                      {"Content-Type": "application/json"})
