"""The one port: reads requests, finds the service, applies troubles, sends answers."""

import calendar
import http.server
import socket
import struct
import threading
import time

from .cloudfront import CloudFront
from .codebuild import CodeBuild
from .control import Control
from .dynamodb import DynamoDB
from .github import GitHub
from .peers import Jobs, Sink
from .s3 import S3
from .slack import Slack
from .sqs import SQS
from .ssm import SSM
from .streams import Streams
from .sts import STS, Machine
from .wire import Refusal, Request


class Cloud:
    """All services.  `changed` is the lock they work under; waiting on it lets others in."""

    def __init__(self):
        self.changed = threading.Condition()
        self.control = Control(self)
        # S3 comes last: with path style any path may be a bucket's.
        self.services = [kind(self) for kind in (DynamoDB, Streams, SQS, CodeBuild, CloudFront,
                                                 SSM, STS, Machine,
                                                 GitHub, Slack, Sink, Jobs, S3)]

    def service(self, name):
        return next((s for s in self.services if s.name == name), None)

    def claimed_by(self, request):
        return next(s for s in self.services if s.claims(request))


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "stand-in"
    sys_version = ""
    disable_nagle_algorithm = True
    wbufsize = 65536

    def handle_request(self):
        request = Request(self.command, self.path, self.headers, self.read_body())
        cloud = self.server.cloud
        if cloud.control.claims(request):
            self.send(work(cloud, cloud.control, request))
            return
        service = cloud.claimed_by(request)
        with cloud.changed:
            operation = service.operation(request)
            entry = cloud.control.journal.note(service, operation, request)
            trouble = cloud.control.trouble_for(service, operation, request)
        if trouble:
            self.misbehave(cloud, service, request, entry, trouble)
        else:
            self.conclude(entry, work(cloud, service, request))

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = do_PATCH = handle_request

    def handle_expect_100(self):
        allowed = super().handle_expect_100()
        self.wfile.flush()
        return allowed

    def read_body(self):
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def misbehave(self, cloud, service, request, entry, trouble):
        time.sleep(trouble.slow)
        if trouble.cut == "before":
            self.hang_up()
            return
        wrong = trouble.answer(service, request)
        right = work(cloud, service, request) if trouble.done or wrong is None else None
        if trouble.cut == "after":
            self.hang_up()
        elif trouble.cut == "half":
            self.send(wrong or right, half=True)
        else:
            self.conclude(entry, wrong or right)

    def conclude(self, entry, answer):
        entry["status"] = answer.status
        entry["code"] = answer.code
        entry["answer"] = answer.body.decode("utf-8", "replace")
        self.send(answer)

    def send(self, answer, half=False):
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.status not in (204, 304):
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD" and answer.status not in (204, 304):
            self.wfile.write(answer.body[:len(answer.body) // 2] if half else answer.body)
        self.wfile.flush()
        if half:
            self.close_connection = True

    def hang_up(self):
        """Reset, not an orderly close: what a dying peer looks like."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def handle_one_request(self):
        try:
            super().handle_one_request()
        except OSError:
            self.close_connection = True

    def finish(self):
        try:
            super().finish()
        except OSError:
            pass

    def log_message(self, *_):
        """The journal is the log."""


def refuse_unsigned(request):
    """No signature, or one of another time; whether it is right is for a judge to say."""
    if not request.scope():
        raise Refusal(400, "MissingAuthenticationToken", "the request is not signed")
    date = request.headers.get("X-Amz-Date")
    if date:
        said = calendar.timegm(time.strptime(date, "%Y%m%dT%H%M%SZ"))
        if abs(said - time.time()) > 900:
            raise Refusal(403, "RequestTimeTooSkewed",
                          "The difference between the request time and the current time is too "
                          "large.")


def work(cloud, service, request):
    with cloud.changed:
        try:
            if service.signed:
                refuse_unsigned(request)
            answer = service.answer(request)
        except Refusal as refusal:
            answer = service.refuse(request, refusal)
            answer.code = refusal.code
        cloud.changed.notify_all()
    answer.headers.setdefault("x-amzn-RequestId", "0" * 8)
    return answer


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port=0):
        super().__init__(("127.0.0.1", port), Handler)
        self.cloud = Cloud()

    @property
    def address(self):
        return "http://127.0.0.1:%d" % self.server_address[1]
