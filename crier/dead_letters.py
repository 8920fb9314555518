"""The dead-letter queues: reads their messages without taking them away."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from broadcasting.errors import RejectedError
from broadcasting.slice_message import GAVE_UP, KIND, REDRIVEN, parse_slice_message
from broadcasting.strict_json import read_json
from crier.deployment import Deployment
from crier.errors import explained

_HELD_SECONDS = 120
"""For how long a message that is being looked at is hidden from others, at most."""

_BATCH = 10
"""The most that SQS receives, or makes visible again, at once."""


class Origin(Enum):
    """Which queue a dead letter comes from."""

    BROADCASTS = "broadcasts"
    SLICES = "slices"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that was given up.

    `first_id` is the id that the message had in its own queue, `reason` why a function rejected
    it or gave it up; one that SQS moved, after too many receives, has none. `sent_ms` is in epoch
    milliseconds.
    """

    origin: Origin
    message_id: str
    first_id: str
    body: str
    reason: str
    is_moved: bool
    is_given_up: bool
    sent_ms: int
    receipt: str = field(repr=False)

    @property
    def is_rejected(self) -> bool:
        """Whether a function rejected it: it broke its contract."""
        return bool(self.reason) and not self.is_given_up

    @property
    def why(self) -> str:
        """Why it is here, in words."""
        if self.reason:
            return self.reason
        if self.is_moved:
            return (
                "SQS moved it here after too many receives: the function's log says why, where "
                f'"message goes back to the queue" has message_id {self.first_id}'
            )
        return "it has no reason: neither the function nor SQS put it here"

    @property
    def broadcast_id(self) -> str:
        """The broadcast that it is about, empty when it does not tell."""
        if self.origin is Origin.SLICES:
            return self.slice_key[0]
        try:
            request = read_json(self.body)
        except (ValueError, RejectedError):
            return ""
        named = request.get("id", self.first_id) if isinstance(request, dict) else ""
        return named if isinstance(named, str) else ""

    @property
    def slice_key(self) -> tuple[str, str]:
        """The broadcast and the slice that it names, empty when it names none."""
        try:
            return parse_slice_message(self.body)
        except RejectedError:
            return "", ""

    def as_json(self) -> dict[str, Any]:
        """Return what a script wants to know."""
        return {
            "queue": self.origin.value,
            "message_id": self.message_id,
            "first_message_id": self.first_id,
            "broadcast_id": self.broadcast_id or None,
            "slice_id": (self.slice_key[1] or None) if self.origin is Origin.SLICES else None,
            "rejected": self.is_rejected,
            "given_up": self.is_given_up,
            "reason": self.why,
            "sent_ms": self.sent_ms,
            "body": self.body,
        }


@dataclass(frozen=True, slots=True)
class DeadLetterQueue:
    """A queue and its dead-letter queue. Each method raises CrierError when SQS refuses."""

    client: Any
    origin: Origin
    url: str
    source_url: str

    @contextmanager
    def held(self) -> Iterator[Iterator[DeadLetter]]:
        """Yield the messages, each once; those that were not deleted are visible again after it."""
        receipts: dict[str, str] = {}
        try:
            yield self._receive(receipts)
        finally:
            self._let_go(list(receipts.values()))

    def hidden(self) -> int:
        """Return how many messages others look at just now, about: they cannot be read here."""
        name = "ApproximateNumberOfMessagesNotVisible"
        with explained(f"the dead-letter queue of {self.origin.value} was not read"):
            answer = self.client.get_queue_attributes(QueueUrl=self.url, AttributeNames=[name])
        return int(answer["Attributes"][name])

    def put_back(self, body: str) -> None:
        """Send a message to the queue that it came from, marked as redriven.

        The mark has the function begin anew what it has counted against the slice.
        """
        mark = {REDRIVEN: {"DataType": "String", "StringValue": "1"}}
        with explained("it was not put back"):
            self.client.send_message(
                QueueUrl=self.source_url, MessageBody=body, MessageAttributes=mark
            )

    def delete(self, letter: DeadLetter) -> None:
        """Delete a message that is held."""
        with explained("it was not deleted from the dead-letter queue"):
            self.client.delete_message(QueueUrl=self.url, ReceiptHandle=letter.receipt)

    def _receive(self, receipts: dict[str, str]) -> Iterator[DeadLetter]:
        """Yield messages until none is new: one whose time to be hidden is over comes again."""
        while True:
            with explained(f"the dead-letter queue of {self.origin.value} was not read"):
                answer = self.client.receive_message(
                    QueueUrl=self.url,
                    AttributeNames=["All"],
                    MessageAttributeNames=["All"],
                    MaxNumberOfMessages=_BATCH,
                    VisibilityTimeout=_HELD_SECONDS,
                    WaitTimeSeconds=1,  # asks all of SQS's servers
                )
            messages = answer.get("Messages", [])
            new = [one for one in messages if one["MessageId"] not in receipts]
            receipts |= {one["MessageId"]: one["ReceiptHandle"] for one in messages}
            if not new:
                return
            yield from (_letter(one, self.origin) for one in new)

    def _let_go(self, receipts: list[str]) -> None:
        """Make messages visible again; SQS says of those that were deleted that they are gone."""
        for start in range(0, len(receipts), _BATCH):
            entries = [
                {"Id": str(number), "ReceiptHandle": receipt, "VisibilityTimeout": 0}
                for number, receipt in enumerate(receipts[start : start + _BATCH])
            ]
            with explained("dead letters stay hidden for two minutes"):
                self.client.change_message_visibility_batch(QueueUrl=self.url, Entries=entries)


def dead_letter_queues(deployment: Deployment) -> tuple[DeadLetterQueue, DeadLetterQueue]:
    """Return both dead-letter queues of a stack."""
    client = deployment.client("sqs")
    return (
        DeadLetterQueue(
            client, Origin.BROADCASTS, deployment.dead_letter_queue_url, deployment.queue_url
        ),
        DeadLetterQueue(
            client,
            Origin.SLICES,
            deployment.slice_dead_letter_queue_url,
            deployment.slice_queue_url,
        ),
    )


def _letter(message: dict[str, Any], origin: Origin) -> DeadLetter:
    said = {
        name: value.get("StringValue", "")
        for name, value in message.get("MessageAttributes", {}).items()
    }
    known = message.get("Attributes", {})
    return DeadLetter(
        origin=origin,
        message_id=message["MessageId"],
        first_id=said.get("messageId") or message["MessageId"],
        body=message["Body"],
        reason=said.get("reason", ""),
        is_given_up=said.get(KIND) == GAVE_UP,
        is_moved="DeadLetterQueueSourceArn" in known,
        sent_ms=int(known.get("SentTimestamp", 0)),
        receipt=message["ReceiptHandle"],
    )
