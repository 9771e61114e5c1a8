"""Amazon's service models from Debian's botocore, with what they lack added.

Added, from the API reference: conditions of S3 PutObject, ShardFilter of DescribeStream,
and the JSON protocol of SQS.
"""

import copy
import functools

import botocore.loaders
import botocore.model
import botocore.session
from botocore.config import Config

NAMES = {"dynamodb": "dynamodb", "streams": "dynamodbstreams", "s3": "s3", "sqs": "sqs",
         "codebuild": "codebuild", "cloudfront": "cloudfront", "ssm": "ssm", "sts": "sts"}


def add_conditions(model):
    """Conditional writes: https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html"""
    members = model["shapes"]["PutObjectRequest"]["members"]
    for name, header in (("IfMatch", "If-Match"), ("IfNoneMatch", "If-None-Match")):
        members.setdefault(name, {"shape": name, "location": "header", "locationName": header})


def add_shard_filter(model):
    """ShardFilter of DescribeStream, with its only type CHILD_SHARDS."""
    shapes = model["shapes"]
    shapes.setdefault("ShardFilterType", {"type": "string", "enum": ["CHILD_SHARDS"]})
    shapes.setdefault("ShardFilter", {"type": "structure", "members": {
        "Type": {"shape": "ShardFilterType"}, "ShardId": {"shape": "ShardId"}}})
    shapes["DescribeStreamInput"]["members"].setdefault("ShardFilter", {"shape": "ShardFilter"})


def speak_json(model):
    """SQS speaks AWS JSON 1.0 since 2023; the members keep their names of the query protocol."""
    model["metadata"].update(protocol="json", jsonVersion="1.0", targetPrefix="AmazonSQS")
    model["metadata"].pop("xmlNamespace", None)
    for shape in model["shapes"].values():
        shape.pop("flattened", None)
        parts = list(shape.get("members", {}).values())
        parts += [shape[k] for k in ("member", "key", "value") if k in shape]
        for part in parts:
            part.pop("locationName", None)
    for operation in model["operations"].values():
        operation.get("output", {}).pop("resultWrapper", None)


ADDITIONS = {"s3": add_conditions, "dynamodbstreams": add_shard_filter, "sqs": speak_json}


class Loader(botocore.loaders.Loader):
    """Debian's models, brought up to date as they are read."""

    def load_service_model(self, service_name, type_name, api_version=None):
        # A copy: clients change the model they are given.
        model = copy.deepcopy(super().load_service_model(service_name, type_name, api_version))
        if type_name == "service-2" and service_name in ADDITIONS:
            ADDITIONS[service_name](model)
        return model


@functools.cache
def loader():
    return Loader(extra_search_paths=[])


@functools.cache
def service_model(name):
    return botocore.model.ServiceModel(loader().load_service_model(name, "service-2"), name)


def model_of(entry):
    """The service's model, or None if it is not Amazon's."""
    name = NAMES.get(entry["service"])
    return name and service_model(name)


def operation_of(entry):
    """The operation's model; KeyError if Amazon knows none of this name."""
    return model_of(entry).operation_model(entry["operation"])


def client(name, address, key_id="AKIDTESTS", secret="secret-of-tests", region="eu-west-1"):
    """Amazon's own client, talking to the stand-in."""
    session = botocore.session.Session()
    session.register_component("data_loader", loader())
    return session.create_client(
        NAMES[name], region_name=region, endpoint_url=address, aws_access_key_id=key_id,
        aws_secret_access_key=secret,
        config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 0},
                      connect_timeout=5, read_timeout=30))
