"""Webhooks as GitHub sends them."""

import hashlib
import hmac
import json

from .router import WEBHOOK_SECRET


def signature(body, secret=WEBHOOK_SECRET):
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def send(router, event, payload, path="/site-repo", secret=WEBHOOK_SECRET, delivery="d-1"):
    """The status it is answered with; `payload` is an object, or the bytes to send."""
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return router.post(path, body, {
        "X-GitHub-Event": event, "X-GitHub-Delivery": delivery,
        "X-Hub-Signature-256": signature(body, secret), "User-Agent": "GitHub-Hookshot/044aadd"})


def push(router, branch="main", repository="acme/site", **how):
    """Somebody pushes, and GitHub tells: (status, the new head)."""
    moved = router.cloud.github.push(name=repository, branch=branch)
    return send(router, "push", push_payload(repository, branch, **moved), **how), moved["after"]


def push_payload(repository, branch, before, after):
    return {"ref": f"refs/heads/{branch}", "before": before, "after": after,
            "created": before == "0" * 40, "deleted": False, "forced": False,
            "repository": {"full_name": repository, "name": repository.partition("/")[2]},
            "sender": {"login": "ann"}, "pusher": {"name": "ann"},
            "commits": [], "head_commit": {"id": after, "message": "change"}}
