"""The switchboard, at /_control/: trouble on demand, a journal of all requests, each service's
own levers.

    GET    /_control/seen?after=N             requests seen after the Nth, oldest first
    POST   /_control/trouble                  add a trouble, see Trouble; answers its number
    DELETE /_control/trouble[?number=N]       end one, or all
    POST   /_control/SERVICE/VERB             call do_VERB(**body) of the service
"""

import base64
import json
import time

from .wire import Answer, Refusal, Service


class Trouble:
    """What goes wrong, for which requests, how often.

    Which:  service, operation (any), contains (text in target or body), times (for good),
            skip (so many pass first).
    What:   slow = seconds before the answer; cut = "before" the work is done, "after" it, or
            "half" of the answer sent; status with code, message, headers or a raw body; with
            done = true the work is done all the same and only the answer is wrong.
    """

    def __init__(self, number, service, operation=None, contains=None, times=None, skip=0,
                 slow=0, cut=None, status=None, code="InternalFailure", message="trouble asked for",
                 headers=None, body=None, done=False):
        self.number = number
        self.service = service
        self.operation = operation
        self.contains = contains
        self.times = times
        self.skip = skip
        self.slow = slow
        self.cut = cut
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers or {}
        self.body = body
        self.done = done

    def takes(self, service, operation, request):
        if self.times == 0 or self.service != service.name:
            return False
        if self.operation not in (None, operation):
            return False
        if self.contains and self.contains.encode() not in request.target.encode() + request.body:
            return False
        if self.skip:
            self.skip -= 1
            return False
        if self.times:
            self.times -= 1
        return True

    def answer(self, service, request):
        """The wrong answer, or None if the trouble is of another kind."""
        if self.status is None:
            return None
        if self.body is not None:
            return Answer(self.status, self.body, self.headers)
        return service.refuse(request,
                              Refusal(self.status, self.code, self.message, self.headers))


class Journal:
    """Every request seen, as raw as it came: a judge can check signatures from it."""

    def __init__(self):
        self.entries = []

    def note(self, service, operation, request):
        try:
            body = {"body": request.body.decode()}
        except UnicodeDecodeError:
            body = {"body64": base64.b64encode(request.body).decode()}
        entry = {"n": len(self.entries) + 1, "at": time.time(), "service": service.name,
                 "operation": operation, "method": request.method, "target": request.target,
                 "headers": list(request.headers.items()), **body, "status": None, "code": "",
                 "answer": ""}
        self.entries.append(entry)
        return entry


class Control(Service):
    name = "control"
    signed = False

    def __init__(self, cloud):
        super().__init__(cloud)
        self.journal = Journal()
        self.troubles = []
        self.count = 0

    def claims(self, request):
        return request.path.startswith("/_control/")

    def operation(self, request):
        return request.path[len("/_control/"):]

    def trouble_for(self, service, operation, request):
        return next((t for t in self.troubles if t.takes(service, operation, request)), None)

    def answer(self, request):
        what = self.operation(request)
        if what == "seen":
            result = self.journal.entries[int(request.query.get("after", 0)):]
        elif what == "trouble" and request.method == "DELETE":
            result = self.end(request.query.get("number"))
        elif what == "trouble":
            result = self.begin(request.json())
        else:
            result = self.pull(what, request.json())
        return Answer(200, json.dumps(result), {"Content-Type": "application/json"})

    def refuse(self, request, refusal):
        return Answer(refusal.status, f"{refusal.code}: {refusal.message}\n")

    def begin(self, args):
        self.count += 1
        self.troubles.append(Trouble(self.count, **args))
        return self.count

    def end(self, number):
        self.troubles = [t for t in self.troubles if number and t.number != int(number)]

    def pull(self, what, args):
        name, _, verb = what.partition("/")
        service = self.cloud.service(name)
        lever = service and getattr(service, "do_" + verb, None)
        if not lever:
            raise Refusal(404, "NoSuchLever", what)
        try:
            return lever(**args)
        except TypeError as error:
            raise Refusal(400, "BadArguments", str(error)) from error
