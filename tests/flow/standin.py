"""The stand-in cloud as a child process, and its switchboard as Python calls."""

import http.client
import json
import pathlib
import subprocess
import sys
import urllib.parse

from . import children

CLOUD = pathlib.Path(__file__).resolve().parent.parent / "cloud"
KEY_ID = "AKIDTESTS"
SECRET = "secret-of-tests"


class Levers:
    """cloud.s3.put(bucket=..) pulls the lever do_put of the service s3."""

    def __init__(self, standin, service):
        self.standin = standin
        self.service = service

    def __getattr__(self, verb):
        return lambda **args: self.standin.ask("POST", f"/_control/{self.service}/{verb}", args)


class StandIn:
    def __init__(self, port=0):
        self.process = children.spawn([sys.executable, CLOUD, "--port", port],
                                      stdout=subprocess.PIPE, text=True)
        self.address = self.process.stdout.readline().strip()
        self.where = urllib.parse.urlsplit(self.address).netloc
        for service in ("dynamodb", "streams", "s3", "sqs", "codebuild", "cloudfront", "ssm",
                        "sts", "github", "slack", "jobs"):
            setattr(self, service, Levers(self, service))

    def stop(self):
        children.end(self.process, 10)
        self.process.stdout.close()

    def ask(self, method, path, args=None, headers=None):
        """A request as JSON, its answer as JSON; an error is raised with its text."""
        connection = http.client.HTTPConnection(self.where, timeout=30)
        try:
            connection.request(method, path, json.dumps(args or {}), headers or {})
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        if answer.status != 200:
            raise RuntimeError(f"{method} {path}: {answer.status} {text}")
        return json.loads(text)

    def seen(self, service=None, operation=None, after=0):
        """The requests that came, oldest first."""
        return [e for e in self.ask("GET", f"/_control/seen?after={after}")
                if service in (None, e["service"]) and operation in (None, e["operation"])]

    def trouble(self, service, **how):
        """See Trouble in tests/cloud/control.py; answers its number."""
        return self.ask("POST", "/_control/trouble", dict(how, service=service))

    def calm(self, number=None):
        """End one trouble, or all."""
        self.ask("DELETE", "/_control/trouble" + (f"?number={number}" if number else ""))

    # What an application does to its data.

    def create_table(self, name, key="id", stream="NEW_AND_OLD_IMAGES"):
        specification = ({"StreamEnabled": True, "StreamViewType": stream} if stream
                         else {"StreamEnabled": False})
        self.amazon("DynamoDB_20120810.CreateTable", {
            "TableName": name, "BillingMode": "PAY_PER_REQUEST",
            "KeySchema": [{"AttributeName": key, "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": key, "AttributeType": "S"}],
            "StreamSpecification": specification})

    def toggle_stream(self, name):
        """Off and on again: a new stream with another ARN."""
        for specification in ({"StreamEnabled": False},
                              {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}):
            self.amazon("DynamoDB_20120810.UpdateTable", {"TableName": name,
                                                          "StreamSpecification": specification})

    def put_item(self, table, **item):
        self.amazon("DynamoDB_20120810.PutItem", {
            "TableName": table, "Item": {k: attribute(v) for k, v in item.items()}})

    def update_item(self, table, key, **changes):
        names = {f"#{i}": name for i, name in enumerate(changes)}
        values = {f":{i}": attribute(value) for i, value in enumerate(changes.values())}
        self.amazon("DynamoDB_20120810.UpdateItem", {
            "TableName": table, "Key": {k: attribute(v) for k, v in key.items()},
            "UpdateExpression": "SET " + ", ".join(f"#{i} = :{i}" for i in range(len(changes))),
            "ExpressionAttributeNames": names, "ExpressionAttributeValues": values})

    def delete_item(self, table, **key):
        self.amazon("DynamoDB_20120810.DeleteItem", {
            "TableName": table, "Key": {k: attribute(v) for k, v in key.items()}})

    def amazon(self, target, args):
        """A request of ours, which no judge needs to see signed well."""
        return self.ask("POST", "/", args, {
            "X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.0",
            "Authorization": "AWS4-HMAC-SHA256 Credential=THE-TEST/20240101/eu-west-1/dynamodb/"
                             "aws4_request, SignedHeaders=host, Signature=none"})


def attribute(value):
    """A Python value as DynamoDB writes it; a dict of one upper-case key is taken as it is."""
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, (int, float)):
        return {"N": str(value)}
    if isinstance(value, str):
        return {"S": value}
    if value is None:
        return {"NULL": True}
    if isinstance(value, list):
        return {"L": [attribute(v) for v in value]}
    if len(value) == 1 and next(iter(value)).isupper():
        return value
    return {"M": {k: attribute(v) for k, v in value.items()}}
