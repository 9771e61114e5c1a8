"""What requests, answers and services have in common.

A service claims the requests that look like its own, names the operation, and answers it.
Everything it does happens under the cloud's one lock, so services need none of their own.
"""

import json
import re
import time
import urllib.parse
import zlib
from xml.sax.saxutils import escape

ACCOUNT = "123456789012"
REGION = "eu-west-1"


class Request:
    """As it came: `target` is the raw path and query, `path` and `query` are decoded."""

    def __init__(self, method, target, headers, body):
        self.method = method
        self.target = target
        self.headers = headers
        self.body = body
        raw_path, _, raw_query = target.partition("?")
        self.path = urllib.parse.unquote(raw_path)
        self.query = dict(urllib.parse.parse_qsl(raw_query, keep_blank_values=True))

    def json(self):
        try:
            return json.loads(self.body or b"{}")
        except ValueError as error:
            raise Refusal(400, "SerializationException", str(error)) from error

    def form(self):
        return dict(urllib.parse.parse_qsl(self.body.decode()))

    def scope(self):
        """(key id, region, service) of the signature, or None if there is no such header."""
        found = re.search(r"Credential=([^/]+)/\d+/([^/]+)/([^/]+)/aws4_request",
                          self.headers.get("Authorization", ""))
        return found and found.groups()


class Answer:
    def __init__(self, status=200, body=b"", headers=None):
        self.status = status
        self.body = body.encode() if isinstance(body, str) else body
        self.headers = headers or {}
        self.code = ""  # of a refusal


class Refusal(Exception):
    """An error in the words of the service: a status, a code, a message."""

    def __init__(self, status, code, message="", headers=None):
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers or {}


class Service:
    name = ""
    signed = True  # requests need an Authorization header, whatever it says

    def __init__(self, cloud):
        self.cloud = cloud

    def claims(self, request):
        raise NotImplementedError

    def operation(self, request):
        """The name troubles and the journal use."""
        raise NotImplementedError

    def answer(self, request):
        raise NotImplementedError

    def refuse(self, request, refusal):
        raise NotImplementedError


class JsonService(Service):
    """AWS JSON: the operation is in X-Amz-Target; methods bear the operations' names."""

    prefix = ""
    version = "1.1"
    namespace = ""

    def claims(self, request):
        return request.headers.get("X-Amz-Target", "").startswith(self.prefix + ".")

    def operation(self, request):
        return request.headers["X-Amz-Target"].rpartition(".")[2]

    def answer(self, request):
        operation = self.operation(request)
        method = getattr(self, operation, None) if operation[:1].isupper() else None
        if not method:
            raise Refusal(400, "UnknownOperationException", operation)
        return self.reply(200, method(request.json()))

    def refuse(self, request, refusal):
        answer = self.reply(refusal.status, {"__type": self.namespace + refusal.code,
                                             "message": refusal.message})
        answer.headers.update(refusal.headers)
        return answer

    def reply(self, status, body):
        text = json.dumps(body).encode()
        return Answer(status, text, {"Content-Type": f"application/x-amz-json-{self.version}",
                                     "x-amz-crc32": str(zlib.crc32(text))})


def need(args, name):
    """A member the operation cannot do without."""
    if name not in args:
        raise Refusal(400, "ValidationException", f"{name} is missing")
    return args[name]


def stamp(at=None):
    """The instant as XML services write it."""
    at = time.time() if at is None else at
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + ".%03dZ" % (at * 1000 % 1000)


def element(name, content=""):
    """<name>text</name>; a list or generator of finished elements goes in as it stands."""
    if isinstance(content, bool):
        content = str(content).lower()
    if isinstance(content, (str, int)):
        return f"<{name}>{escape(str(content))}</{name}>"
    return f"<{name}>{''.join(content)}</{name}>"


def document(root, content, namespace=""):
    xmlns = f' xmlns="{namespace}"' if namespace else ""
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<{root}{xmlns}>{"".join(content)}</{root}>'
