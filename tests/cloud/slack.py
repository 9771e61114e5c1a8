"""Slack, at /slack: incoming webhooks (/slack/services/...) and the two Web API calls that post
and edit a message (/slack/api/chat.postMessage, chat.update)."""

import json
import time

from .wire import Answer, Refusal, Service

ROOT = "/slack"
TEXT_LIMIT = 40000
BLOCK_LIMIT = 50


class Slack(Service):
    name = "slack"
    signed = False

    def __init__(self, cloud):
        super().__init__(cloud)
        self.messages = []  # {via, channel, ts, text, blocks, at, edited}
        self.token = None
        self.count = 0

    def claims(self, request):
        return request.path.startswith(ROOT + "/")

    def operation(self, request):
        if request.path.startswith(ROOT + "/api/"):
            return request.path.rpartition("/")[2]
        return "webhook"

    def answer(self, request):
        operation = self.operation(request)
        message = self.read(request)
        if operation == "webhook":
            self.keep("webhook", None, message)
            return Answer(200, "ok", {"Content-Type": "text/html"})
        if self.token and request.headers.get("Authorization") != f"Bearer {self.token}":
            raise Refusal(200, "invalid_auth")
        if operation == "chat.postMessage":
            return self.post(message)
        if operation == "chat.update":
            return self.update(message)
        raise Refusal(200, "unknown_method")

    def read(self, request):
        try:
            message = json.loads(request.body)
        except ValueError as error:
            raise Refusal(400, "invalid_payload") from error
        if not isinstance(message, dict) or not (message.get("text") or message.get("blocks")):
            raise Refusal(400, "no_text")
        if len(message.get("blocks", [])) > BLOCK_LIMIT:
            raise Refusal(400, "invalid_blocks")
        return message

    def keep(self, via, channel, message):
        self.count += 1
        kept = {"via": via, "channel": channel, "ts": "%d.%06d" % (time.time(), self.count),
                "text": message.get("text", "")[:TEXT_LIMIT], "blocks": message.get("blocks"),
                "thread_ts": message.get("thread_ts"), "at": time.time(), "edited": 0}
        self.messages.append(kept)
        return kept

    def post(self, message):
        channel = message.get("channel")
        if not channel:
            raise Refusal(200, "channel_not_found")
        kept = self.keep("api", "C" + channel.lstrip("#C").upper(), message)
        return self.done(kept)

    def update(self, message):
        for kept in self.messages:
            if kept["ts"] == message.get("ts") and kept["channel"] == message.get("channel"):
                kept.update(text=message.get("text", ""), blocks=message.get("blocks"),
                            edited=kept["edited"] + 1)
                return self.done(kept)
        raise Refusal(200, "message_not_found")

    @staticmethod
    def done(kept):
        return Answer(200, json.dumps({"ok": True, "channel": kept["channel"], "ts": kept["ts"],
                                       "message": {"text": kept["text"], "ts": kept["ts"]}}),
                      {"Content-Type": "application/json; charset=utf-8"})

    def refuse(self, request, refusal):
        """Plain words from a webhook; from the API an object, whose status is usually 200."""
        if self.operation(request) == "webhook":
            return Answer(400 if refusal.status == 200 else refusal.status, refusal.code,
                          refusal.headers)
        status = 200 if refusal.status == 400 else refusal.status
        return Answer(status, json.dumps({"ok": False, "error": refusal.code}),
                      {"Content-Type": "application/json; charset=utf-8", **refusal.headers})

    # Levers.

    def do_messages(self):
        return self.messages

    def do_token(self, token):
        self.token = token

    def do_forget(self, ts):
        """Somebody deletes the message."""
        self.messages = [m for m in self.messages if m["ts"] != ts]
