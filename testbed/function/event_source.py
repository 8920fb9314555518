"""What stands between SQS and the function: the queues of a test and their event source.

Messages with a delay, and those that come again, are held back until the app's time
has come; when nothing else is there, the time jumps to the next of them.
"""

import base64
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from broadcasting.attributes import REASON
from testbed.function.clocks import Time

AGAIN_SECONDS = 90
"""The delay of a message that was given back: longer than any lease of a test."""

_BATCH = 10


@dataclass(frozen=True)
class Queue:
    """A queue with its dead-letter queue."""

    url: str
    arn: str
    dead_url: str


@dataclass(frozen=True)
class Letter:
    """A dead letter: its body, and its attributes as texts."""

    body: str
    attributes: dict[str, str]

    @property
    def reason(self) -> str:
        """Why it was given up, as far as the function has said so."""
        return self.attributes.get(REASON, "")


@dataclass
class EventSource:
    """Takes messages from queues, the first queue's first, and does what follows an invocation.

    `due` are the app's times, by body, before which a message does not come; `sent_ahead` tells by
    how much the app's time was ahead when a body was sent.
    """

    sqs: Any
    queues: tuple[Queue, ...]
    time: Time
    due: dict[str, float] = field(default_factory=dict)
    sent_ahead: dict[str, float] = field(default_factory=dict)
    _held: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    _again_at: dict[str, float] = field(default_factory=dict)

    def hold_back(self, body: str, seconds: float) -> None:
        """Hold a message back that is sent with a delay."""
        self.due[body] = self.time.now() + seconds

    def receive(self) -> dict[str, Any] | None:
        """Return an event with the next message of any queue, None when all are empty."""
        self._take_all()
        if not self._held:
            return None
        now = self.time.now()
        place = min(range(len(self._held)), key=lambda one: self._order(one, now))
        number, message = self._held.pop(place)
        self.time.skip(self._delay_seconds(message, now))
        return {"Records": [self._record(message, self.queues[number])]}

    def acknowledge(self, event: dict[str, Any], failures: Iterable[str]) -> None:
        """Do what the event source does after an invocation."""
        record = event["Records"][0]
        queue = next(one for one in self.queues if one.arn == record["eventSourceARN"])
        handle = {"QueueUrl": queue.url, "ReceiptHandle": record["receiptHandle"]}
        if record["messageId"] in failures:
            self.sqs.change_message_visibility(**handle, VisibilityTimeout=0)
            self._again_at[record["messageId"]] = self.time.now() + AGAIN_SECONDS
        else:
            self.sqs.delete_message(**handle)

    def dead_letters(self, queue: Queue) -> list[Letter]:
        """Return dead letters, ten at most; they stay where they are."""
        found = self.sqs.receive_message(
            QueueUrl=queue.dead_url,
            MessageAttributeNames=["All"],
            MaxNumberOfMessages=_BATCH,
            VisibilityTimeout=0,
        )
        return [
            Letter(
                one["Body"],
                {
                    name: value.get("StringValue", "")
                    for name, value in one.get("MessageAttributes", {}).items()
                },
            )
            for one in found.get("Messages", [])
        ]

    def _take_all(self) -> None:
        for number, queue in enumerate(self.queues):
            while messages := self._take(queue):
                self._held += [(number, one) for one in messages]

    def _take(self, queue: Queue) -> list[dict[str, Any]]:
        answer = self.sqs.receive_message(
            QueueUrl=queue.url,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["All"],
            MaxNumberOfMessages=_BATCH,
        )
        found: list[dict[str, Any]] = answer.get("Messages", [])
        return found

    def _order(self, place: int, now: float) -> tuple[float, int, int]:
        number, message = self._held[place]
        return self._delay_seconds(message, now), number, place

    def _delay_seconds(self, message: dict[str, Any], now: float) -> float:
        due = self.due.get(message["Body"], 0.0)
        return max(0.0, due - now, self._again_at.get(message["MessageId"], 0.0) - now)

    def _record(self, message: dict[str, Any], queue: Queue) -> dict[str, Any]:
        """Return a message as Lambda gives it to a function, sent at the app's time."""
        ahead_seconds = self.sent_ahead.get(message["Body"], self.time.ahead_seconds)
        sent_ms = int(message["Attributes"]["SentTimestamp"]) + int(ahead_seconds * 1000)
        return {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "eventSource": "aws:sqs",
            "eventSourceARN": queue.arn,
            "attributes": message["Attributes"] | {"SentTimestamp": str(sent_ms)},
            "messageAttributes": {
                name: _attribute(value)
                for name, value in message.get("MessageAttributes", {}).items()
            },
        }


def make_queue(sqs: Any, name: str, *, max_receives: int, visibility_seconds: int) -> Queue:
    """Make a queue, and the dead-letter queue that takes a message after some receives."""
    dead_url = sqs.create_queue(QueueName=f"{name}-dead")["QueueUrl"]
    policy = {"maxReceiveCount": str(max_receives), "deadLetterTargetArn": _arn(sqs, dead_url)}
    attributes = {"RedrivePolicy": json.dumps(policy), "VisibilityTimeout": str(visibility_seconds)}
    url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    return Queue(url, _arn(sqs, url), dead_url)


def _arn(sqs: Any, url: str) -> str:
    answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return str(answer["Attributes"]["QueueArn"])


def _attribute(value: dict[str, Any]) -> dict[str, Any]:
    """Return a message attribute as Lambda's events have it."""
    record: dict[str, Any] = {
        "stringListValues": [],
        "binaryListValues": [],
        "dataType": value["DataType"],
    }
    if "StringValue" in value:
        record["stringValue"] = value["StringValue"]
    if "BinaryValue" in value:
        record["binaryValue"] = base64.b64encode(value["BinaryValue"]).decode()
    return record
