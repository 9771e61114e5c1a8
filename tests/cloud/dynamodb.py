"""DynamoDB: tables with items and streams.  A write that changes nothing makes no record.

Of expressions it knows UpdateExpression with SET and REMOVE of whole attributes; conditions
are refused.
"""

import hashlib
import json
import re
import time
import uuid

from .streams import HASHES, Stream
from .wire import ACCOUNT, REGION, JsonService, Refusal, need


class Table:
    def __init__(self, name, keys, attributes):
        self.name = name
        self.keys = keys
        self.attributes = attributes
        self.items = {}
        self.stream = None
        self.made = time.time()

    def key_names(self):
        return [k["AttributeName"] for k in self.keys]

    def key_of(self, item):
        missing = [k for k in self.key_names() if k not in item]
        if missing:
            raise Refusal(400, "ValidationException", f"missing the key {missing[0]} in the item")
        return {k: item[k] for k in self.key_names()}

    def describe(self):
        table = {"TableName": self.name, "TableStatus": "ACTIVE", "KeySchema": self.keys,
                 "AttributeDefinitions": self.attributes, "CreationDateTime": self.made,
                 "ItemCount": len(self.items),
                 "TableArn": f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{self.name}"}
        if self.stream:
            table["LatestStreamArn"] = self.stream.arn
            table["LatestStreamLabel"] = self.stream.label
        if self.stream and self.stream.enabled:
            table["StreamSpecification"] = {"StreamEnabled": True,
                                            "StreamViewType": self.stream.view}
        return table


def place(key):
    return json.dumps(key, sort_keys=True)


class DynamoDB(JsonService):
    name = "dynamodb"
    prefix = "DynamoDB_20120810"
    version = "1.0"
    namespace = "com.amazonaws.dynamodb.v20120810#"

    def __init__(self, cloud):
        super().__init__(cloud)
        self.tables = {}
        self.labels = 0

    def table(self, args):
        name = need(args, "TableName")
        if name not in self.tables:
            raise Refusal(400, "ResourceNotFoundException",
                          f"Requested resource not found: Table: {name} not found")
        return self.tables[name]

    def CreateTable(self, args):
        table = Table(need(args, "TableName"), need(args, "KeySchema"),
                      need(args, "AttributeDefinitions"))
        if table.name in self.tables:
            raise Refusal(400, "ResourceInUseException", f"Table already exists: {table.name}")
        self.tables[table.name] = table
        self.specify_stream(table, args.get("StreamSpecification"))
        return {"TableDescription": table.describe()}

    def UpdateTable(self, args):
        table = self.table(args)
        self.specify_stream(table, args.get("StreamSpecification"))
        return {"TableDescription": table.describe()}

    def specify_stream(self, table, wanted):
        """Off closes the stream, which stays readable; on again is a new stream."""
        running = table.stream and table.stream.enabled
        if wanted is None or bool(running) == wanted["StreamEnabled"]:
            return
        if running:
            table.stream.enabled = False
            for shard in table.stream.open_shards():
                table.stream.close(shard)
            return
        self.labels += 1
        label = "2024-01-01T00:00:00.%03d" % self.labels
        table.stream = Stream(table.name, table.keys, wanted["StreamViewType"], label)
        self.cloud.service("streams").add(table.stream)

    def DescribeTable(self, args):
        return {"Table": self.table(args).describe()}

    def GetItem(self, args):
        table = self.table(args)
        item = table.items.get(place(table.key_of(need(args, "Key"))))
        return {"Item": item} if item else {}

    def PutItem(self, args):
        table = self.table(args)
        item = need(args, "Item")
        old = self.write(table, table.key_of(item), item, args)
        return {"Attributes": old} if old and args.get("ReturnValues") == "ALL_OLD" else {}

    def DeleteItem(self, args):
        table = self.table(args)
        self.write(table, table.key_of(need(args, "Key")), None, args)
        return {}

    def UpdateItem(self, args):
        table = self.table(args)
        key = table.key_of(need(args, "Key"))
        item = dict(table.items.get(place(key), key))
        for verb, name, value in changes(args):
            if verb == "SET":
                item[name] = value
            else:
                item.pop(name, None)
        self.write(table, key, item, args)
        return {"Attributes": item} if args.get("ReturnValues") == "ALL_NEW" else {}

    def write(self, table, key, item, args):
        """Store (None: delete), and tell the stream if anything changed; answers the old item."""
        if "ConditionExpression" in args:
            raise Refusal(400, "ValidationException", "the stand-in knows no conditions")
        old = table.items.get(place(key))
        if item == old:
            return old
        if item is None:
            del table.items[place(key)]
        else:
            table.items[place(key)] = item
        if table.stream and table.stream.enabled:
            digest = hashlib.md5(place(key).encode()).digest()
            table.stream.append(int.from_bytes(digest[:2], "big") % HASHES,
                                record(table, key, old, item))
        return old


def record(table, key, old, new):
    """A stream record, but for its sequence number."""
    body = {"ApproximateCreationDateTime": round(time.time(), 3), "Keys": key,
            "SizeBytes": len(json.dumps([key, old, new])), "StreamViewType": table.stream.view}
    if new is not None and table.stream.view in ("NEW_IMAGE", "NEW_AND_OLD_IMAGES"):
        body["NewImage"] = new
    if old is not None and table.stream.view in ("OLD_IMAGE", "NEW_AND_OLD_IMAGES"):
        body["OldImage"] = old
    name = "INSERT" if old is None else "REMOVE" if new is None else "MODIFY"
    return {"eventID": uuid.uuid4().hex, "eventName": name, "eventVersion": "1.1",
            "eventSource": "aws:dynamodb", "awsRegion": REGION, "dynamodb": body}


def changes(args):
    """(verb, attribute, value) of an UpdateExpression."""
    names = args.get("ExpressionAttributeNames", {})
    values = args.get("ExpressionAttributeValues", {})
    parts = re.split(r"\b(SET|REMOVE|ADD|DELETE)\b", need(args, "UpdateExpression"))[1:]
    for verb, clause in zip(parts[::2], parts[1::2]):
        if verb not in ("SET", "REMOVE"):
            raise Refusal(400, "ValidationException", f"the stand-in does not know {verb}")
        for term in clause.split(","):
            name, _, value = (word.strip() for word in term.partition("="))
            yield verb, names.get(name, name), values.get(value)
