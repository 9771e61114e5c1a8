"""S3, path style: versions, conditions, pages, regions, and notifications into a queue.

A bucket may be told to ignore conditions, as many S3-likes do, and to answer a request signed
for another region as the service would.
"""

import hashlib
import json
import time
import urllib.parse
from email.utils import formatdate

from .wire import REGION, Answer, Refusal, Service, document, element, stamp

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"


class Version:
    """One version of an object; `body` None is a delete marker."""

    def __init__(self, number, body, content_type):
        self.id = "v%06d.%s" % (number, hashlib.md5(str(number).encode()).hexdigest()[:16])
        self.body = body
        self.type = content_type
        self.etag = '"%s"' % hashlib.md5(body or b"").hexdigest()
        self.at = time.time()


class Bucket:
    def __init__(self, name, region, versioned):
        self.name = name
        self.region = region
        self.versioned = versioned
        self.conditions = True
        self.elsewhere = 301  # the status for a request signed for another region
        self.keys = {}        # key: versions, oldest first
        self.queue = None
        self.form = "s3"

    def current(self, key):
        versions = self.keys.get(key)
        return versions[-1] if versions and versions[-1].body is not None else None

    def store(self, key, version):
        versions = self.keys.setdefault(key, [])
        if not self.versioned:
            versions.clear()
        versions.append(version)
        if not self.versioned and version.body is None:
            del self.keys[key]


class S3(Service):
    name = "s3"

    def __init__(self, cloud):
        super().__init__(cloud)
        self.buckets = {}
        self.written = 0
        self.page = 1000

    def claims(self, request):
        return True

    def operation(self, request):
        key = self.split(request)[1]
        if not key:
            return "ListObjectsV2" if request.method == "GET" else request.method.title() + "Bucket"
        return {"GET": "GetObject", "HEAD": "HeadObject", "PUT": "PutObject",
                "DELETE": "DeleteObject"}.get(request.method, request.method)

    @staticmethod
    def split(request):
        name, _, key = request.path[1:].partition("/")
        return name, key

    def answer(self, request):
        name, key = self.split(request)
        if name not in self.buckets:
            raise Refusal(404, "NoSuchBucket", "The specified bucket does not exist")
        bucket = self.buckets[name]
        self.refuse_elsewhere(bucket, request)
        if key:
            work = {"GET": self.get, "HEAD": self.get, "PUT": self.put, "DELETE": self.delete}
        else:
            work = {"GET": self.list, "HEAD": lambda *_: Answer(200)}
        if request.method not in work:
            raise Refusal(405, "MethodNotAllowed", request.method)
        return work[request.method](bucket, key, request)

    def refuse_elsewhere(self, bucket, request):
        if request.scope()[1] == bucket.region:
            return
        code = {301: "PermanentRedirect", 307: "TemporaryRedirect",
                400: "AuthorizationHeaderMalformed"}[bucket.elsewhere]
        raise Refusal(bucket.elsewhere, code, f"the region is wrong; expecting '{bucket.region}'",
                      {"x-amz-bucket-region": bucket.region})

    def get(self, bucket, key, request):
        wanted = request.query.get("versionId")
        if wanted:
            version = next((v for v in bucket.keys.get(key, []) if v.id == wanted), None)
        else:
            version = bucket.current(key)
        if not version or version.body is None:
            raise Refusal(404, "NoSuchVersion" if wanted else "NoSuchKey", "it does not exist")
        if request.headers.get("If-None-Match") in ("*", version.etag):
            return Answer(304, b"", self.headers(bucket, version))
        if request.headers.get("If-Match", version.etag) not in ("*", version.etag):
            raise Refusal(412, "PreconditionFailed", "If-Match does not hold")
        return Answer(200, version.body, self.headers(bucket, version))

    @staticmethod
    def headers(bucket, version):
        headers = {"ETag": version.etag, "Last-Modified": formatdate(version.at, usegmt=True),
                   "Content-Type": version.type}
        if bucket.versioned:
            headers["x-amz-version-id"] = version.id
        return headers

    def put(self, bucket, key, request):
        if bucket.conditions:
            self.refuse_unmet(bucket.current(key), request)
        version = self.write(bucket, key, request.body,
                             request.headers.get("Content-Type", "binary/octet-stream"))
        headers = self.headers(bucket, version)
        del headers["Content-Type"], headers["Last-Modified"]
        return Answer(200, b"", headers)

    @staticmethod
    def refuse_unmet(current, request):
        if_match = request.headers.get("If-Match")
        if_none = request.headers.get("If-None-Match")
        if if_none not in (None, "*"):
            raise Refusal(501, "NotImplemented", "If-None-Match takes only *")
        if if_match and not current:
            raise Refusal(404, "NoSuchKey", "The specified key does not exist.")
        if (if_match and if_match != current.etag) or (if_none and current):
            raise Refusal(412, "PreconditionFailed", "a condition does not hold")

    def delete(self, bucket, key, _request):
        if key in bucket.keys:
            self.write(bucket, key, None, "")
        return Answer(204)

    def write(self, bucket, key, body, content_type):
        self.written += 1
        version = Version(self.written, body, content_type)
        bucket.store(key, version)
        if bucket.queue:
            self.notify(bucket, key, version)
        return version

    def list(self, bucket, _key, request):
        query = request.query
        after = query.get("continuation-token") or query.get("start-after", "")
        left = [k for k in sorted(bucket.keys)
                if bucket.current(k) and k > after and k.startswith(query.get("prefix", ""))]
        page = left[:min(int(query.get("max-keys", 1000)), self.page)]
        show = urllib.parse.quote if query.get("encoding-type") == "url" else str
        parts = [element("Name", bucket.name), element("Prefix", show(query.get("prefix", ""))),
                 element("KeyCount", len(page)), element("MaxKeys", self.page),
                 element("IsTruncated", len(page) < len(left))]
        if "encoding-type" in query:
            parts.append(element("EncodingType", query["encoding-type"]))
        if len(page) < len(left):
            parts.append(element("NextContinuationToken", page[-1]))
        for key in page:
            version = bucket.current(key)
            parts.append(element("Contents", [
                element("Key", show(key)), element("LastModified", stamp(version.at)),
                element("ETag", version.etag), element("Size", len(version.body)),
                element("StorageClass", "STANDARD")]))
        return Answer(200, document("ListBucketResult", parts, NAMESPACE),
                      {"Content-Type": "application/xml"})

    def refuse(self, request, refusal):
        error = [element("Code", refusal.code), element("Message", refusal.message),
                 element("RequestId", "0" * 16)]
        if "x-amz-bucket-region" in refusal.headers:
            error.append(element("Region", refusal.headers["x-amz-bucket-region"]))
        body = b"" if request.method == "HEAD" else document("Error", error)
        return Answer(refusal.status, body, {"Content-Type": "application/xml", **refusal.headers})

    def notify(self, bucket, key, version):
        sequencer = "%018X" % (0x0055AED6DCD90281E5 + self.written)
        tell = {"s3": plain_note, "eventbridge": eventbridge_note, "sns": sns_note}[bucket.form]
        self.send(bucket, tell(bucket, key, version, sequencer))

    def send(self, bucket, note):
        self.cloud.service("sqs").do_send(bucket.queue, json.dumps(note))

    # Levers.

    def do_bucket(self, name, region=REGION, versioned=True, conditions=True, elsewhere=301):
        bucket = self.buckets.setdefault(name, Bucket(name, region, versioned))
        bucket.region = region
        bucket.versioned = versioned
        bucket.conditions = conditions
        bucket.elsewhere = elsewhere

    def do_notify(self, name, queue, form="s3"):
        """Tell the queue of changes; `form` is s3, eventbridge or sns."""
        bucket = self.buckets[name]
        bucket.queue = queue
        bucket.form = form
        if form != "eventbridge":
            self.send(bucket, {"Service": "Amazon S3", "Event": "s3:TestEvent", "Time": stamp(),
                               "Bucket": name, "RequestId": "0", "HostId": "0"})

    def do_page(self, keys):
        self.page = keys

    def do_put(self, bucket, key, body, content_type="application/json"):
        """Somebody else writes; answers the version's id."""
        return self.write(self.buckets[bucket], key, body.encode(), content_type).id

    def do_delete(self, bucket, key):
        self.write(self.buckets[bucket], key, None, "")

    def do_get(self, bucket, key):
        """The text of an object and its version, or null."""
        version = self.buckets[bucket].current(key)
        return version and {"body": version.body.decode(), "version": version.id,
                            "etag": version.etag}

    def do_versions(self, bucket, key):
        return [v.id for v in self.buckets[bucket].keys.get(key, [])]


def plain_note(bucket, key, version, sequencer):
    thing = {"key": urllib.parse.quote_plus(key, safe="/"), "sequencer": sequencer}
    if version.body is not None:
        thing.update(size=len(version.body), eTag=version.etag.strip('"'))
    if bucket.versioned:
        thing["versionId"] = version.id
    name = "ObjectRemoved:DeleteMarkerCreated" if version.body is None else "ObjectCreated:Put"
    return {"Records": [{"eventVersion": "2.1", "eventSource": "aws:s3", "eventName": name,
                         "awsRegion": bucket.region, "eventTime": stamp(version.at),
                         "s3": {"s3SchemaVersion": "1.0", "configurationId": "all",
                                "bucket": {"name": bucket.name,
                                           "arn": "arn:aws:s3:::" + bucket.name},
                                "object": thing}}]}


def eventbridge_note(bucket, key, version, sequencer):
    thing = {"key": key, "sequencer": sequencer}
    if version.body is not None:
        thing.update({"size": len(version.body), "etag": version.etag.strip('"')})
    if bucket.versioned:
        thing["version-id"] = version.id
    return {"version": "0", "id": sequencer, "source": "aws.s3", "region": bucket.region,
            "detail-type": "Object Deleted" if version.body is None else "Object Created",
            "time": stamp(version.at), "resources": ["arn:aws:s3:::" + bucket.name],
            "detail": {"version": "0", "bucket": {"name": bucket.name}, "object": thing,
                       "reason": "PutObject" if version.body is not None else "DeleteObject"}}


def sns_note(bucket, key, version, sequencer):
    return {"Type": "Notification", "MessageId": sequencer,
            "TopicArn": "arn:aws:sns:eu-west-1:123456789012:bucket", "Subject": "Amazon S3",
            "Message": json.dumps(plain_note(bucket, key, version, sequencer))}
