"""CloudFront: distributions in pages, invalidations with caller references."""

import re
import time
import xml.etree.ElementTree as ElementTree

from .wire import ACCOUNT, Answer, Refusal, Service, document, element, stamp

NAMESPACE = "http://cloudfront.amazonaws.com/doc/2020-05-31/"
ROOT = "/2020-05-31/distribution"


class Invalidation:
    def __init__(self, number, reference, paths):
        self.id = f"I{number:013d}"
        self.reference = reference
        self.paths = paths
        self.made = time.time()

    def describe(self, seconds):
        done = time.time() - self.made >= seconds
        return [element("Id", self.id), element("Status", "Completed" if done else "InProgress"),
                element("CreateTime", stamp(self.made)),
                element("InvalidationBatch", [
                    element("Paths", [element("Quantity", len(self.paths)),
                                      element("Items", (element("Path", p) for p in self.paths))]),
                    element("CallerReference", self.reference)])]


class Distribution:
    def __init__(self, name, origins, enabled, staging):
        self.id = name
        self.origins = origins
        self.enabled = enabled
        self.staging = staging
        self.invalidations = {}

    def describe(self):
        origins = [element("Origin", [element("Id", f"origin-{i}"), element("DomainName", host),
                                      element("OriginPath", "")])
                   for i, host in enumerate(self.origins)]
        return element("DistributionSummary", [
            element("Id", self.id),
            element("ARN", f"arn:aws:cloudfront::{ACCOUNT}:distribution/{self.id}"),
            element("Status", "Deployed"), element("LastModifiedTime", stamp()),
            element("DomainName", self.id.lower() + ".cloudfront.net"),
            element("Aliases", [element("Quantity", 0)]),
            element("Origins", [element("Quantity", len(origins)), element("Items", origins)]),
            element("OriginGroups", [element("Quantity", 0)]),
            element("Comment", ""), element("Enabled", self.enabled),
            element("Staging", self.staging)])


class CloudFront(Service):
    name = "cloudfront"

    def __init__(self, cloud):
        super().__init__(cloud)
        self.distributions = []
        self.page = 100
        self.seconds = 0.5
        self.limit = 15
        self.made = 0

    def claims(self, request):
        return request.path.startswith("/2020-05-31/")

    def operation(self, request):
        if request.path == ROOT:
            return "ListDistributions"
        return "CreateInvalidation" if request.method == "POST" else "GetInvalidation"

    def answer(self, request):
        if request.path == ROOT:
            return self.list(request.query)
        found = re.fullmatch(ROOT + "/([^/]+)/invalidation(?:/([^/]+))?", request.path)
        chosen = found and next((d for d in self.distributions if d.id == found[1]), None)
        if not chosen:
            raise Refusal(404, "NoSuchDistribution", "The specified distribution does not exist.")
        if found[2]:
            return self.show(chosen, found[2])
        return self.invalidate(chosen, request)

    def list(self, query):
        marker = query.get("Marker", "")
        left = [d for d in sorted(self.distributions, key=lambda d: d.id) if d.id > marker]
        page = left[:min(int(query.get("MaxItems", 100)), self.page)]
        parts = [element("Marker", marker), element("MaxItems", self.page),
                 element("IsTruncated", len(page) < len(left)), element("Quantity", len(page))]
        if len(page) < len(left):
            parts.append(element("NextMarker", page[-1].id))
        if page:
            parts.append(element("Items", (d.describe() for d in page)))
        return xml(200, "DistributionList", parts)

    def show(self, distribution, name):
        for invalidation in distribution.invalidations.values():
            if invalidation.id == name:
                return xml(200, "Invalidation", invalidation.describe(self.seconds))
        raise Refusal(404, "NoSuchInvalidation", "The specified invalidation does not exist.")

    def invalidate(self, distribution, request):
        reference, paths = read_batch(request.body)
        known = distribution.invalidations.get(reference)
        if known and known.paths != paths:
            raise Refusal(400, "InvalidationBatchAlreadyExists", "the reference has other paths")
        if not known:
            self.refuse_too_many(distribution)
            self.made += 1
            known = Invalidation(self.made, reference, paths)
            distribution.invalidations[reference] = known
        answer = xml(201, "Invalidation", known.describe(self.seconds))
        answer.headers["Location"] = f"{request.target}/{known.id}"
        return answer

    def refuse_too_many(self, distribution):
        running = [i for i in distribution.invalidations.values()
                   if time.time() - i.made < self.seconds]
        if len(running) >= self.limit:
            raise Refusal(400, "TooManyInvalidationsInProgress",
                          "You have exceeded the maximum number of invalidations in progress.")

    def refuse(self, request, refusal):
        error = element("Error", [element("Type", "Sender"), element("Code", refusal.code),
                                  element("Message", refusal.message)])
        answer = xml(refusal.status, "ErrorResponse", [error, element("RequestId", "0" * 8)])
        answer.headers.update(refusal.headers)
        return answer

    # Levers.

    def do_distribution(self, name, origins, enabled=True, staging=False):
        self.distributions.append(Distribution(name, origins, enabled, staging))

    def do_page(self, distributions):
        self.page = distributions

    def do_seconds(self, seconds):
        """How long an invalidation takes."""
        self.seconds = seconds

    def do_limit(self, limit):
        """How many may be in progress for one distribution."""
        self.limit = limit

    def do_invalidations(self, name):
        chosen = next(d for d in self.distributions if d.id == name)
        return [{"id": i.id, "reference": i.reference, "paths": i.paths}
                for i in chosen.invalidations.values()]


def xml(status, root, parts):
    return Answer(status, document(root, parts, NAMESPACE), {"Content-Type": "text/xml"})


def read_batch(body):
    """(caller reference, paths) of an InvalidationBatch."""
    try:
        batch = ElementTree.fromstring(body)
    except ElementTree.ParseError as error:
        raise Refusal(400, "MalformedXML", str(error)) from error
    inside = {"n": NAMESPACE}
    paths = [p.text for p in batch.findall("n:Paths/n:Items/n:Path", inside)]
    reference = batch.findtext("n:CallerReference", "", inside)
    quantity = batch.findtext("n:Paths/n:Quantity", "", inside)
    if not reference or quantity != str(len(paths)):
        raise Refusal(400, "InconsistentQuantities", f"{quantity} said, {len(paths)} there")
    if any(not p.startswith("/") or "*" in p[:-1] for p in paths):
        raise Refusal(400, "InvalidArgument", "Your request contains one or more invalid paths.")
    return reference, paths
