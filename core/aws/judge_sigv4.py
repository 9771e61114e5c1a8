"""botocore judges our signatures: 400 requests made from awkward pieces, signed by the
program named on the command line and again by botocore's own signer."""
import datetime
import json
import random
import subprocess
import sys
from urllib.parse import quote

try:
    from botocore.auth import S3SigV4Auth, SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials
except ImportError:
    print("botocore is not installed")
    sys.exit(77)

PIECES = ["a", "B", "9", "-", "_", ".", "~", "/", "//", "/./", "/../", " ", "+", "%", "%2F", "=",
          "&", "?", "#", "*", "'", "(", ")", "!", ":", "@", ",", ";", "$", "ü", "ሴ", "😀", "\"", "\\"]
HEADERS = ["Content-Type: application/x-amz-json-1.0", "X-Amz-Target: DynamoDB_20120810.GetItem",
           "x-amz-meta-a: one", "x-amz-meta-a-b:  two   words  ", "X-Amz-Meta-A1: three",
           "If-None-Match: *", "If-Match: \"etag\"", "x-amz-acl: a=b, c"]


def text(rng, most):
    return "".join(rng.choice(PIECES) for _ in range(rng.randrange(most)))


def request(rng):
    query = []
    for name in sorted({text(rng, 4) for _ in range(rng.randrange(4))}, key=lambda _: rng.random()):
        query += [name, text(rng, 6)]
    return {
        "method": rng.choice(["GET", "PUT", "POST", "DELETE", "HEAD"]),
        "host": rng.choice(["b.s3.eu-west-1.amazonaws.com", "127.0.0.1:8100", "h.example:81"]),
        "path": "/" + text(rng, 12),
        "query": query,
        "headers": rng.sample(HEADERS, rng.randrange(len(HEADERS))),
        "body": text(rng, 10),
        "s3": rng.random() < 0.5,
        "service": rng.choice(["s3", "dynamodb", "codebuild"]),
        "region": rng.choice(["us-east-1", "cn-north-1"]),
        "time": rng.randrange(0, 4_000_000_000) * 1000,
        "token": rng.choice([None, "", "a/b+c=="]),
    }


def judge(rq, ours):
    sent = dict(line.split(": ", 1) for line in ours["headers"].splitlines())
    authorization = sent.pop("Authorization")
    names = authorization.split("SignedHeaders=")[1].split(",")[0].split(";")
    wire = quote(rq["path"], safe="/~")
    params = list(zip(rq["query"][::2], rq["query"][1::2]))
    signed = AWSRequest(method=rq["method"], url="http://" + rq["host"] + wire, params=dict(params),
                        data=rq["body"].encode())
    for line in rq["headers"]:
        name, value = line.split(":", 1)
        assert name.lower() in names, f"{name} is not signed"
        signed.headers[name] = value
    for name, value in sent.items():
        assert name.lower() in names, f"{name} is not signed"
        signed.headers[name] = value
    assert "host" in names and names == sorted(names)
    stamp = datetime.datetime.fromtimestamp(rq["time"] / 1000, datetime.timezone.utc)
    signed.context["timestamp"] = stamp.strftime("%Y%m%dT%H%M%SZ")
    assert sent["X-Amz-Date"] == signed.context["timestamp"]
    credentials = Credentials("AKIDEXAMPLE", "secret+/=", rq["token"] or None)
    signer = (S3SigV4Auth if rq["s3"] else SigV4Auth)(credentials, rq["service"], rq["region"])
    canonical = signer.canonical_request(signed)
    assert canonical == ours["canonical"], f"theirs:\n{canonical}\nours:\n{ours['canonical']}"
    expected = signer.signature(signer.string_to_sign(signed, canonical), signed)
    assert authorization.endswith("Signature=" + expected)
    query = canonical.splitlines()[2]
    assert ours["target"] == wire + ("?" + query if query else "")
    assert ("X-Amz-Security-Token" in sent) == bool(rq["token"])
    assert ("X-Amz-Content-Sha256" in sent) == rq["s3"]


def main():
    rng = random.Random(4)
    requests = [request(rng) for _ in range(400)]
    done = subprocess.run(sys.argv[1:], input=json.dumps(requests), capture_output=True, text=True,
                          check=True)
    answers = json.loads(done.stdout)
    assert len(answers) == len(requests)
    for rq, ours in zip(requests, answers):
        try:
            judge(rq, ours)
        except AssertionError as mistake:
            sys.exit(f"{json.dumps(rq, ensure_ascii=False)}\n{mistake}")
    print(f"{len(requests)} requests signed alike")


main()
