"""GitHub's REST API, at /github: branches, tags, refs and commits, with ETags and limits."""

import hashlib
import json
import re
import time
import urllib.parse

from .wire import Answer, Refusal, Service

ROOT = "/github"


class Repository:
    def __init__(self, name):
        self.name = name
        self.branches = {}  # name: sha of its head
        self.tags = {}
        self.parents = {}   # sha: sha
        self.private = True


def commit_of(sha, parent=None):
    person = {"name": "Ann", "email": "ann@example.com", "date": "2024-05-01T12:00:00Z"}
    return {"sha": sha, "node_id": "C_" + sha[:8],
            "commit": {"message": f"change {sha[:7]}", "author": person, "committer": person,
                       "tree": {"sha": sha[::-1]}},
            "author": {"login": "ann"}, "committer": {"login": "ann"},
            "parents": [{"sha": parent}] if parent else []}


class GitHub(Service):
    name = "github"
    signed = False

    def __init__(self, cloud):
        super().__init__(cloud)
        self.repositories = {}
        self.token = None  # None: anyone may read
        self.limit = 5000
        self.used = 0
        self.reset = int(time.time()) + 3600
        self.page = 100

    def claims(self, request):
        return request.path.startswith(ROOT + "/")

    def operation(self, request):
        found = re.match(ROOT + "/repos/[^/]+/[^/]+/?([^/]*)", request.path)
        return found[1] if found else request.path

    def answer(self, request):
        self.refuse_rude(request)
        found = re.fullmatch(ROOT + r"/repos/([^/]+/[^/]+)(?:/(.*))?", request.path)
        if not found or found[1] not in self.repositories:
            raise Refusal(404, "Not Found")
        repository = self.repositories[found[1]]
        return self.conditional(request, *self.look(repository, found[2] or "", request))

    def refuse_rude(self, request):
        if not request.headers.get("User-Agent"):
            raise Refusal(403, "Request forbidden by administrative rules: no User-Agent")
        word = request.headers.get("Authorization", "")
        if self.token and word not in (f"Bearer {self.token}", f"token {self.token}"):
            raise Refusal(401, "Bad credentials")
        if self.used >= self.limit:
            raise Refusal(403, "API rate limit exceeded", headers=self.limits())

    def limits(self):
        return {"X-RateLimit-Limit": str(self.limit), "X-RateLimit-Used": str(self.used),
                "X-RateLimit-Remaining": str(max(self.limit - self.used, 0)),
                "X-RateLimit-Reset": str(self.reset), "X-RateLimit-Resource": "core"}

    def look(self, repository, path, request):
        """(body, further headers) of what the path names."""
        if path in ("branches", "tags"):
            known = repository.branches if path == "branches" else repository.tags
            return self.paged(request, [self.named(repository, path, n) for n in sorted(known)])
        for pattern, answer in (
                (r"branches/(.+)", self.branch),
                (r"git/refs?/(heads|tags)/(.+)", self.ref),
                (r"git/matching-refs/(heads|tags)/?(.*)", self.matching),
                (r"commits/(.+)", self.commit),
                (r"commits", self.commits)):
            found = re.fullmatch(pattern, path)
            if found:
                return answer(repository, request, *found.groups())
        if not path:
            return {"full_name": repository.name, "private": repository.private,
                    "default_branch": "main"}, {}
        raise Refusal(404, "Not Found")

    @staticmethod
    def named(repository, kind, name):
        sha = getattr(repository, kind)[name]
        return {"name": name, "commit": {"sha": sha}, "protected": False}

    def paged(self, request, rows):
        size = min(int(request.query.get("per_page", 30)), self.page)
        number = int(request.query.get("page", 1))
        headers = {}
        if number * size < len(rows):
            query = urllib.parse.urlencode({"per_page": size, "page": number + 1})
            url = f"http://{request.headers['Host']}{request.target.partition('?')[0]}?{query}"
            headers["Link"] = f'<{url}>; rel="next"'
        return rows[(number - 1) * size:number * size], headers

    def branch(self, repository, _request, name):
        if name not in repository.branches:
            raise Refusal(404, "Branch not found")
        sha = repository.branches[name]
        return {"name": name, "commit": commit_of(sha, repository.parents.get(sha))}, {}

    def ref(self, repository, _request, kind, name):
        known = repository.branches if kind == "heads" else repository.tags
        if name not in known:
            raise Refusal(404, "Not Found")
        return self.reference(kind, name, known[name]), {}

    @staticmethod
    def reference(kind, name, sha):
        return {"ref": f"refs/{kind}/{name}", "node_id": "R_" + sha[:8],
                "object": {"type": "commit", "sha": sha}}

    def matching(self, repository, request, kind, prefix):
        known = repository.branches if kind == "heads" else repository.tags
        return self.paged(request, [self.reference(kind, n, known[n]) for n in sorted(known)
                                    if n.startswith(prefix)])

    def commit(self, repository, request, name):
        for prefix in ("heads/", "refs/heads/", "tags/", "refs/tags/"):
            name = name.removeprefix(prefix)
        sha = repository.branches.get(name) or repository.tags.get(name) or name
        if sha not in repository.parents:
            raise Refusal(422, f"No commit found for SHA: {name}")
        if "sha" in request.headers.get("Accept", "").partition("vnd.github")[2]:
            return sha, {}
        return commit_of(sha, repository.parents[sha]), {}

    def commits(self, repository, request):
        sha = request.query.get("sha", "main")
        sha = repository.branches.get(sha, sha)
        line = []
        while sha:
            line.append(commit_of(sha, repository.parents.get(sha)))
            sha = repository.parents.get(sha)
        return self.paged(request, line)

    def conditional(self, request, body, headers):
        text = body if isinstance(body, str) else json.dumps(body)
        etag = 'W/"%s"' % hashlib.sha256(text.encode()).hexdigest()
        if request.headers.get("If-None-Match") == etag:
            return Answer(304, b"", {"ETag": etag, **self.limits()})
        self.used += 1
        return Answer(200, text, {"Content-Type": "application/json; charset=utf-8",
                                  "ETag": etag, **headers, **self.limits()})

    def refuse(self, request, refusal):
        return Answer(refusal.status, json.dumps({"message": refusal.message or refusal.code,
                                                  "documentation_url": "https://docs.github.com"}),
                      {"Content-Type": "application/json", **refusal.headers})

    # Levers.

    def do_repository(self, name):
        self.repositories.setdefault(name, Repository(name))

    def do_push(self, name, branch, sha=None):
        """Move the branch's head, to a new commit if none is named; answers {before, after}."""
        repository = self.repositories[name]
        before = repository.branches.get(branch, "0" * 40)
        after = sha or hashlib.sha1(f"{name}{branch}{len(repository.parents)}".encode()).hexdigest()
        if after not in repository.parents:
            repository.parents[after] = None if before == "0" * 40 else before
        repository.branches[branch] = after
        return {"before": before, "after": after}

    def do_delete_branch(self, name, branch):
        return self.repositories[name].branches.pop(branch)

    def do_tag(self, name, tag, sha):
        self.repositories[name].tags[tag] = sha

    def do_token(self, token):
        self.token = token

    def do_limit(self, limit, reset=3600):
        self.limit = limit
        self.used = 0
        self.reset = int(time.time()) + reset

    def do_page(self, rows):
        self.page = rows
