"""Peers of no vendor: /sink/NAME takes any POST, /jobs starts jobs and tells of them."""

import itertools
import json

from .wire import Answer, Refusal, Service


class Sink(Service):
    """What came is in the journal, under the operation NAME."""

    name = "sink"
    signed = False

    def claims(self, request):
        return request.path.startswith("/sink/")

    def operation(self, request):
        return request.path[len("/sink/"):]

    def answer(self, request):
        return Answer(200, "{}", {"Content-Type": "application/json"})

    def refuse(self, request, refusal):
        return Answer(refusal.status, json.dumps({"error": refusal.code}),
                      {"Content-Type": "application/json", **refusal.headers})


class Jobs(Sink):
    """POST /jobs starts one, once per Idempotency-Key; GET /jobs/ID tells its status, which is
    "running" until it is ended by hand."""

    name = "jobs"

    def __init__(self, cloud):
        super().__init__(cloud)
        self.numbers = itertools.count(1)
        self.jobs = {}  # id: status
        self.keys = {}  # idempotency key: id

    def claims(self, request):
        return request.path == "/jobs" or request.path.startswith("/jobs/")

    def operation(self, request):
        return "start" if request.method == "POST" else "look"

    def answer(self, request):
        if request.method == "POST":
            return self.start(request.headers.get("Idempotency-Key"))
        name = request.path.rpartition("/")[2]
        if name not in self.jobs:
            raise Refusal(404, "no such job")
        return Answer(200, json.dumps({"id": name, "status": self.jobs[name]}))

    def start(self, key):
        name = self.keys.get(key) or str(next(self.numbers))
        self.jobs.setdefault(name, "running")
        if key:
            self.keys[key] = name
        return Answer(201, json.dumps({"id": name}))

    # Levers.

    def do_end(self, status="ok"):
        self.jobs.update({name: status for name, now in self.jobs.items() if now == "running"})

    def do_list(self):
        return self.jobs
