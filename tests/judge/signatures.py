"""Signature Version 4, recomputed by botocore from the request as it came over the wire."""

import base64
import datetime
import hashlib
import re
import urllib.parse

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials

from .models import model_of

FORM = re.compile(r"AWS4-HMAC-SHA256 Credential=([^/,]+)/(\d{8})/([^/,]+)/([^/,]+)/aws4_request, ?"
                  r"SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})")
UNSIGNED_OPERATIONS = ("AssumeRoleWithWebIdentity",)


def body_of(entry):
    if "body64" in entry:
        return base64.b64decode(entry["body64"])
    return entry["body"].encode()


def reencoded(text, safe):
    return urllib.parse.quote(urllib.parse.unquote(text), safe=safe)


class AsSent:
    """Signs what the sender said it signed, instead of what botocore would choose."""

    def __init__(self, credentials, service, region, signed):
        super().__init__(credentials, service, region)
        self.signed = signed

    def headers_to_sign(self, request):
        chosen = HTTPHeaders()
        for name, value in request.headers.items():
            if name.lower() in self.signed:
                chosen.add_header(name.lower(), value)
        return chosen

    def canonical_query_string(self, request):
        pairs = urllib.parse.parse_qsl(urllib.parse.urlsplit(request.url).query,
                                       keep_blank_values=True)
        encoded = sorted((urllib.parse.quote(k, safe="-_.~"), urllib.parse.quote(v, safe="-_.~"))
                         for k, v in pairs)
        return "&".join(f"{k}={v}" for k, v in encoded)


class Plain(AsSent, SigV4Auth):
    pass


class ForS3(AsSent, S3SigV4Auth):
    def _normalize_url_path(self, path):
        return reencoded(path, "/~")


def signature_complaints(entry, secret_of):
    headers = {name.lower(): value for name, value in entry["headers"]}
    if entry["operation"] in UNSIGNED_OPERATIONS:
        return ["signed, though it must not be"] if "authorization" in headers else []
    form = FORM.fullmatch(headers.get("authorization", ""))
    if not form:
        return [f"Authorization is {headers.get('authorization')!r}"]
    key_id, day, region, service, signed, signature = form.groups()
    signed = signed.split(";")
    found = list(form_complaints(entry, headers, day, service, signed))
    if recomputed(entry, headers, key_id, secret_of(key_id), service, region,
                  signed) != signature:
        found.append("the signature does not match")
    return found


def recomputed(entry, headers, key_id, secret, service, region, signed):
    kind = ForS3 if service == "s3" else Plain
    signer = kind(Credentials(key_id, secret, headers.get("x-amz-security-token")), service,
                  region, signed)
    request = AWSRequest(method=entry["method"], data=body_of(entry),
                         url="http://" + headers.get("host", "") + entry["target"])
    request.headers = HTTPHeaders()
    for name, value in entry["headers"]:
        request.headers.add_header(name, value)
    request.context["timestamp"] = headers.get("x-amz-date", "")
    text = signer.string_to_sign(request, signer.canonical_request(request))
    return signer.signature(text, request)


def form_complaints(entry, headers, day, service, signed):
    """What a bare comparison of signatures would let pass."""
    if signed != sorted(signed):
        yield "SignedHeaders is not sorted"
    for name in signed:
        if name not in headers:
            yield f"{name} is signed, but not there"
    for name in headers:
        if (name == "host" or name.startswith("x-amz-")) and name not in signed:
            yield f"{name} is not signed"
    yield from date_complaints(entry, headers.get("x-amz-date", ""), day)
    expected = model_of(entry).signing_name
    if service != expected:
        yield f"signed for {service}, not {expected}"
    if service == "s3":
        hashed = headers.get("x-amz-content-sha256")
        if hashed not in ("UNSIGNED-PAYLOAD", hashlib.sha256(body_of(entry)).hexdigest()):
            yield f"x-amz-content-sha256 is {hashed}"


def date_complaints(entry, date, day):
    try:
        said = datetime.datetime.strptime(date, "%Y%m%dT%H%M%SZ")
    except ValueError:
        yield f"X-Amz-Date is {date!r}"
        return
    seen = datetime.datetime.utcfromtimestamp(entry["at"])
    if abs((seen - said).total_seconds()) > 900:
        yield f"X-Amz-Date {date} is more than 15 minutes off"
    if not date.startswith(day):
        yield f"the scope says {day}, X-Amz-Date {date}"
