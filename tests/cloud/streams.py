"""DynamoDB Streams: shards with lineage, pages, iterators that expire, records that are trimmed.

Sequence numbers are decimal text beyond 64 bits and soon change their number of digits, as a
reader must expect.
"""

import time

from .wire import ACCOUNT, REGION, JsonService, Refusal, need

FIRST_NUMBER = 10 ** 21 - 7
HASHES = 2 ** 16
PAGE = 100  # shards in an answer of DescribeStream, at most


class Shard:
    """Holds the records of the items whose hash is in `span` while it is open."""

    def __init__(self, number, span, parent, first):
        self.id = "shardId-%020d-%08x" % (1600000000000 + number, number)
        self.span = span
        self.parent = parent
        self.first = first
        self.last = None  # set when it closes
        self.horizon = 0  # records before it are trimmed
        self.records = []

    def describe(self):
        numbers = {"StartingSequenceNumber": str(self.first)}
        if self.last is not None:
            numbers["EndingSequenceNumber"] = str(self.last)
        shard = {"ShardId": self.id, "SequenceNumberRange": numbers}
        if self.parent:
            shard["ParentShardId"] = self.parent
        return shard


class Stream:
    def __init__(self, table, keys, view, label):
        self.table = table
        self.keys = keys
        self.view = view
        self.label = label
        self.arn = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{table}/stream/{label}"
        self.enabled = True
        self.next = FIRST_NUMBER
        self.shards = []
        self.made = 0
        self.open_shard((0, HASHES), None)

    def open_shard(self, span, parent):
        shard = Shard(self.made, span, parent, self.next)
        self.made += 1
        self.shards.append(shard)
        return shard

    def shard(self, shard_id):
        for shard in self.shards:
            if shard.id == shard_id:
                return shard
        raise Refusal(400, "ResourceNotFoundException", f"no shard {shard_id}")

    def open_shards(self):
        return [s for s in self.shards if s.last is None]

    def append(self, item_hash, record):
        """Numbers the record and puts it in the shard that has the item's hash."""
        shard = next(s for s in self.open_shards() if s.span[0] <= item_hash < s.span[1])
        record["dynamodb"]["SequenceNumber"] = str(self.next)
        shard.records.append((self.next, record))
        self.next += 3

    def close(self, shard):
        shard.last = self.next - 1

    def split(self, shard):
        """Close it; two children take half of its hashes each."""
        low, high = shard.span
        self.close(shard)
        if high - low < 2:
            return [self.open_shard(shard.span, shard.id)]
        middle = (low + high) // 2
        return [self.open_shard((low, middle), shard.id),
                self.open_shard((middle, high), shard.id)]

    def roll(self, shard):
        """Close it; one child goes on, as happens every few hours."""
        self.close(shard)
        return self.open_shard(shard.span, shard.id)


class Streams(JsonService):
    name = "streams"
    prefix = "DynamoDBStreams_20120810"
    version = "1.0"
    namespace = "com.amazonaws.dynamodb.v20120810#"

    def __init__(self, cloud):
        super().__init__(cloud)
        self.streams = {}
        self.lifetime = 900.0
        self.generation = 1
        self.page = PAGE
        self.empty_pages = 0

    def add(self, stream):
        self.streams[stream.arn] = stream

    def stream(self, arn):
        if arn not in self.streams:
            raise Refusal(400, "ResourceNotFoundException", f"no stream {arn}")
        return self.streams[arn]

    def DescribeStream(self, args):
        stream = self.stream(need(args, "StreamArn"))
        limit = args.get("Limit", PAGE)
        if not 1 <= limit <= PAGE:
            raise Refusal(400, "ValidationException", f"Limit {limit} is not within 1 and {PAGE}")
        shards = list(stream.shards)
        if "ShardFilter" in args:
            shards = [s for s in shards if s.parent == need(args["ShardFilter"], "ShardId")]
        if "ExclusiveStartShardId" in args:
            shards = [s for s in shards if s.id > args["ExclusiveStartShardId"]]
        page = shards[:min(limit, self.page)]
        description = {"StreamArn": stream.arn, "StreamLabel": stream.label,
                       "StreamStatus": "ENABLED" if stream.enabled else "DISABLED",
                       "StreamViewType": stream.view, "TableName": stream.table,
                       "KeySchema": stream.keys, "Shards": [s.describe() for s in page]}
        if len(page) < len(shards):
            description["LastEvaluatedShardId"] = page[-1].id
        return {"StreamDescription": description}

    def ListStreams(self, args):
        chosen = [s for s in self.streams.values()
                  if args.get("TableName") in (None, s.table)]
        return {"Streams": [{"StreamArn": s.arn, "TableName": s.table, "StreamLabel": s.label}
                            for s in chosen]}

    def GetShardIterator(self, args):
        stream = self.stream(need(args, "StreamArn"))
        shard = stream.shard(need(args, "ShardId"))
        kind = need(args, "ShardIteratorType")
        if kind == "TRIM_HORIZON":
            position = max(shard.horizon, shard.first)
        elif kind == "LATEST":
            position = stream.next
        else:
            position = int(need(args, "SequenceNumber")) + (kind == "AFTER_SEQUENCE_NUMBER")
            self.refuse_trimmed(shard, position)
        return {"ShardIterator": self.iterator(stream, shard, position)}

    def iterator(self, stream, shard, position):
        return f"{stream.arn}|{self.generation}:{time.time()}|{shard.id}|{position}"

    def read_iterator(self, text):
        try:
            arn, issued, shard_id, position = text.split("|")
            generation, at = issued.split(":")
            stream = self.stream(arn)
            fresh = (int(generation) == self.generation
                     and time.time() - float(at) <= self.lifetime)
        except ValueError as error:
            raise Refusal(400, "ValidationException", "Invalid ShardIterator") from error
        if not fresh:
            raise Refusal(400, "ExpiredIteratorException")
        return stream, stream.shard(shard_id), int(position)

    @staticmethod
    def refuse_trimmed(shard, position):
        if position < shard.horizon:
            raise Refusal(400, "TrimmedDataAccessException",
                          "The operation attempted to read past the oldest stream record")

    def GetRecords(self, args):
        stream, shard, position = self.read_iterator(need(args, "ShardIterator"))
        self.refuse_trimmed(shard, position)
        if self.empty_pages:
            self.empty_pages -= 1
            return {"Records": [], "NextShardIterator": self.iterator(stream, shard, position)}
        left = [(n, r) for n, r in shard.records if n >= position]
        page = left[:args.get("Limit", 1000)]
        answer = {"Records": [record for _, record in page]}
        if len(page) < len(left) or shard.last is None:
            position = page[-1][0] + 1 if page else position
            answer["NextShardIterator"] = self.iterator(stream, shard, position)
        return answer

    def latest(self, table):
        return [s for s in self.streams.values() if s.table == table][-1]

    # Levers.

    def do_shards(self, table):
        return [dict(s.describe(), records=len(s.records)) for s in self.latest(table).shards]

    def do_split(self, table, shard=None):
        """Split one shard, or all that are open; answers the children's ids."""
        stream = self.latest(table)
        chosen = [stream.shard(shard)] if shard else stream.open_shards()
        return [child.id for s in chosen for child in stream.split(s)]

    def do_roll(self, table):
        stream = self.latest(table)
        return [stream.roll(s).id for s in stream.open_shards()]

    def do_trim(self, table, keep=0):
        """Forget all but the newest `keep` records of each shard, and closed shards left empty."""
        stream = self.latest(table)
        for shard in stream.shards:
            kept = shard.records[-keep:] if keep else []
            shard.horizon = kept[0][0] if kept else stream.next
            shard.records = kept
        stream.shards = [s for s in stream.shards if s.records or s.last is None]

    def do_expire(self):
        """All iterators handed out so far are too old."""
        self.generation += 1

    def do_lifetime(self, seconds):
        self.lifetime = seconds

    def do_page(self, shards):
        self.page = shards

    def do_empty(self, pages):
        """The next answers of GetRecords hold nothing, though there is something."""
        self.empty_pages = pages

    def do_inject(self, table, record):
        """Put a record into the stream as it is, however strange."""
        record.setdefault("dynamodb", {})
        self.latest(table).append(0, record)
