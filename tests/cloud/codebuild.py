"""CodeBuild: builds that progress by themselves, or wait to be ended.

A project's builds take `seconds` (null: until do_end) and end as the next of `outcomes` says,
then as `outcome`.
"""

import itertools
import time
import uuid

from .wire import ACCOUNT, REGION, JsonService, Refusal, need

PHASES = ["SUBMITTED", "QUEUED", "PROVISIONING", "DOWNLOAD_SOURCE", "INSTALL", "PRE_BUILD", "BUILD",
          "POST_BUILD", "UPLOAD_ARTIFACTS", "FINALIZING"]
FAILS_IN = PHASES.index("BUILD")
TOKEN_LIFE = 300.0


class Project:
    def __init__(self, name):
        self.name = name
        self.seconds = 0.5
        self.outcome = "SUCCEEDED"
        self.outcomes = []
        self.reason = "COMMAND_EXECUTION_ERROR: Error while executing command: make. Reason: exit status 2"
        self.limit = None
        self.numbers = itertools.count(1)
        self.source = {"type": "GITHUB", "location": f"https://github.com/acme/{name}.git"}
        self.environment = {"type": "LINUX_CONTAINER", "image": "aws/codebuild/standard:7.0",
                            "computeType": "BUILD_GENERAL1_SMALL", "environmentVariables": []}

    def next_outcome(self):
        return self.outcomes.pop(0) if self.outcomes else self.outcome


class Build:
    """Its state is a function of the clock, until it is ended by hand."""

    def __init__(self, project, args):
        self.id = f"{project.name}:{uuid.uuid4()}"
        self.project = project
        self.number = next(project.numbers)
        self.args = args
        self.seconds = project.seconds
        self.outcome = project.next_outcome()
        self.start = time.time()
        self.end = None if self.seconds is None else self.start + self.seconds

    def running(self):
        return self.end is None or time.time() < self.end

    def finish(self, outcome):
        if self.running():
            self.end = time.time()
            self.outcome = outcome

    def phases(self):
        """Evenly spread over the build's time; a failure shows in BUILD and skips to the end."""
        now = time.time()
        step = (self.seconds or 10.0) / len(PHASES)
        if self.running():
            done = min(int((now - self.start) / step), len(PHASES) - 1)
        else:
            done = len(PHASES)
        shown = []
        for i, name in enumerate(PHASES[:done + 1]):
            phase = {"phaseType": name, "startTime": self.start + i * step}
            if i < done:
                failed = i == FAILS_IN and self.outcome != "SUCCEEDED"
                phase.update(phaseStatus=self.outcome if failed else "SUCCEEDED",
                             endTime=self.start + (i + 1) * step, durationInSeconds=int(step))
                if failed:
                    phase["contexts"] = [{"statusCode": self.project.reason.partition(":")[0],
                                          "message": self.project.reason.partition(": ")[2]}]
            shown.append(phase)
        if not self.running():
            shown.append({"phaseType": "COMPLETED", "startTime": self.end})
        return shown

    def describe(self):
        phases = self.phases()
        group = f"/aws/codebuild/{self.project.name}"
        build = {
            "id": self.id, "buildNumber": self.number, "projectName": self.project.name,
            "arn": f"arn:aws:codebuild:{REGION}:{ACCOUNT}:build/{self.id}",
            "startTime": self.start, "currentPhase": phases[-1]["phaseType"],
            "buildStatus": "IN_PROGRESS" if self.running() else self.outcome,
            "buildComplete": not self.running(), "phases": phases,
            "source": self.project.source, "timeoutInMinutes": 60, "initiator": "stand-in",
            "environment": dict(self.project.environment, environmentVariables=self.args.get(
                "environmentVariablesOverride", [])),
            "secondarySourceVersions": self.args.get("secondarySourcesVersionOverride", []),
            "logs": {"groupName": group, "streamName": self.id.partition(":")[2],
                     "deepLink": f"https://console.aws.amazon.com/cloudwatch/home#logs:{group}"}}
        if "sourceVersion" in self.args:
            build["sourceVersion"] = build["resolvedSourceVersion"] = self.args["sourceVersion"]
        if not self.running():
            build["endTime"] = self.end
        return build


class CodeBuild(JsonService):
    name = "codebuild"
    prefix = "CodeBuild_20161006"

    def __init__(self, cloud):
        super().__init__(cloud)
        self.projects = {}
        self.builds = {}
        self.tokens = {}

    def project(self, name):
        if name not in self.projects:
            raise Refusal(400, "ResourceNotFoundException",
                          f"Project cannot be found: arn:aws:codebuild:{REGION}:{ACCOUNT}:"
                          f"project/{name}")
        return self.projects[name]

    def builds_of(self, project):
        return [b for b in self.builds.values() if b.project is project]

    def StartBuild(self, args):
        project = self.project(need(args, "projectName"))
        known = self.known(args)
        if known:
            return {"build": known.describe()}
        running = sum(b.running() for b in self.builds_of(project))
        if project.limit is not None and running >= project.limit:
            raise Refusal(400, "AccountLimitExceededException",
                          f"Cannot have more than {project.limit} builds in queue for the account")
        build = Build(project, args)
        self.builds[build.id] = build
        if "idempotencyToken" in args:
            self.tokens[args["idempotencyToken"]] = build
        return {"build": build.describe()}

    def known(self, args):
        """The build that an earlier request with this token started, for five minutes."""
        build = self.tokens.get(args.get("idempotencyToken"))
        if not build or time.time() - build.start > TOKEN_LIFE:
            return None
        if build.args != args:
            raise Refusal(400, "InvalidInputException",
                          "idempotencyToken was used with other parameters")
        return build

    def BatchGetBuilds(self, args):
        ids = need(args, "ids")
        if not 1 <= len(ids) <= 100:
            raise Refusal(400, "InvalidInputException", "ids: 1 to 100")
        return {"builds": [self.builds[i].describe() for i in ids if i in self.builds],
                "buildsNotFound": [i for i in ids if i not in self.builds]}

    def StopBuild(self, args):
        build = self.builds.get(need(args, "id"))
        if not build:
            raise Refusal(400, "ResourceNotFoundException", f"no build {args['id']}")
        build.finish("STOPPED")
        return {"build": build.describe()}

    def ListBuildsForProject(self, args):
        project = self.project(need(args, "projectName"))
        ids = [b.id for b in self.builds_of(project)]
        if args.get("sortOrder", "DESCENDING") == "DESCENDING":
            ids.reverse()
        start = int(args.get("nextToken", 0))
        page = {"ids": ids[start:start + 100]}
        if start + 100 < len(ids):
            page["nextToken"] = str(start + 100)
        return page

    # Levers.

    def do_project(self, name, **settings):
        """Make or change a project: seconds, outcome, outcomes, reason, limit."""
        project = self.projects.setdefault(name, Project(name))
        for key, value in settings.items():
            if not hasattr(project, key):
                raise Refusal(400, "BadArguments", key)
            setattr(project, key, value)

    def do_builds(self, project):
        """Oldest first, each with the parameters that started it."""
        return [dict(b.describe(), started_with=b.args)
                for b in self.builds_of(self.project(project))]

    def do_end(self, outcome="SUCCEEDED", build=None):
        """End one build, or all that run."""
        chosen = [self.builds[build]] if build else self.builds.values()
        for each in chosen:
            each.finish(outcome)

    def do_forget_tokens(self):
        """As after five minutes."""
        self.tokens.clear()
