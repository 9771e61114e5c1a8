"""SQS over JSON: queues, long polling, visibility."""

import hashlib
import time
import uuid

from .wire import ACCOUNT, JsonService, Refusal, need


class Message:
    def __init__(self, body):
        self.id = str(uuid.uuid4())
        self.body = body
        self.handle = None
        self.visible_at = 0.0
        self.received = 0
        self.sent = time.time()

    def describe(self):
        return {"MessageId": self.id, "ReceiptHandle": self.handle, "Body": self.body,
                "MD5OfBody": hashlib.md5(self.body.encode()).hexdigest(),
                "Attributes": {"ApproximateReceiveCount": str(self.received),
                               "SentTimestamp": str(int(self.sent * 1000))}}


class Queue:
    def __init__(self):
        self.visibility = 30.0
        self.messages = []

    def take(self, most, visibility):
        """Hide and answer what is visible now."""
        now = time.time()
        taken = [m for m in self.messages if m.visible_at <= now][:most]
        for message in taken:
            message.handle = uuid.uuid4().hex
            message.visible_at = now + visibility
            message.received += 1
        return taken

    def held(self, handle):
        for message in self.messages:
            if message.handle == handle:
                return message
        raise Refusal(400, "ReceiptHandleIsInvalid", "no message has this receipt handle",
                      {"x-amzn-query-error": "ReceiptHandleIsInvalid;Sender"})


class SQS(JsonService):
    name = "sqs"
    prefix = "AmazonSQS"
    version = "1.0"
    namespace = "com.amazonaws.sqs#"

    def __init__(self, cloud):
        super().__init__(cloud)
        self.queues = {}

    def queue(self, args):
        name = need(args, "QueueUrl").rpartition("/")[2]
        if name not in self.queues:
            raise Refusal(400, "QueueDoesNotExist", "The specified queue does not exist.",
                          {"x-amzn-query-error": "AWS.SimpleQueueService.NonExistentQueue;Sender"})
        return self.queues[name]

    @staticmethod
    def url(name):
        """Not the address the stand-in listens on: clients go to their endpoint all the same."""
        return f"https://sqs.eu-west-1.amazonaws.com/{ACCOUNT}/{name}"

    def CreateQueue(self, args):
        name = need(args, "QueueName")
        queue = self.queues.setdefault(name, Queue())
        queue.visibility = float(args.get("Attributes", {}).get("VisibilityTimeout", 30))
        return {"QueueUrl": self.url(name)}

    def GetQueueUrl(self, args):
        name = need(args, "QueueName")
        self.queue({"QueueUrl": name})
        return {"QueueUrl": self.url(name)}

    def GetQueueAttributes(self, args):
        messages = self.queue(args).messages
        hidden = sum(m.visible_at > time.time() for m in messages)
        return {"Attributes": {"ApproximateNumberOfMessages": str(len(messages) - hidden),
                               "ApproximateNumberOfMessagesNotVisible": str(hidden)}}

    def SendMessage(self, args):
        message = Message(need(args, "MessageBody"))
        self.queue(args).messages.append(message)
        return {"MessageId": message.id,
                "MD5OfMessageBody": hashlib.md5(message.body.encode()).hexdigest()}

    def ReceiveMessage(self, args):
        queue = self.queue(args)
        until = time.monotonic() + args.get("WaitTimeSeconds", 0)
        most = args.get("MaxNumberOfMessages", 1)
        visibility = args.get("VisibilityTimeout", queue.visibility)
        if not 1 <= most <= 10:
            raise Refusal(400, "InvalidParameterValue", "MaxNumberOfMessages is 1 to 10")
        while not (taken := queue.take(most, visibility)):
            left = until - time.monotonic()
            if left <= 0:
                return {}
            self.cloud.changed.wait(min(left, 0.1))
        return {"Messages": [m.describe() for m in taken]}

    def DeleteMessage(self, args):
        queue = self.queue(args)
        queue.messages.remove(queue.held(need(args, "ReceiptHandle")))
        return {}

    def DeleteMessageBatch(self, args):
        done, failed = [], []
        for entry in need(args, "Entries"):
            try:
                self.DeleteMessage(dict(entry, QueueUrl=args["QueueUrl"]))
                done.append({"Id": entry["Id"]})
            except Refusal as refusal:
                failed.append({"Id": entry["Id"], "Code": refusal.code, "SenderFault": True})
        return {"Successful": done, "Failed": failed}

    def ChangeMessageVisibility(self, args):
        message = self.queue(args).held(need(args, "ReceiptHandle"))
        message.visible_at = time.time() + need(args, "VisibilityTimeout")
        return {}

    # Levers.

    def do_create(self, name, visibility=30):
        return self.CreateQueue({"QueueName": name,
                                 "Attributes": {"VisibilityTimeout": visibility}})["QueueUrl"]

    def do_send(self, name, body):
        return self.SendMessage({"QueueUrl": name, "MessageBody": body})["MessageId"]

    def do_left(self, name):
        """How many messages are not deleted yet."""
        return len(self.queue({"QueueUrl": name}).messages)
