"""The dead-letter queues: reads their messages without taking them away."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

from broadcasting.attributes import (
    MOST,
    MOST_BYTES,
    REDRIVEN,
    Attribute,
    Attributes,
    LeftOut,
    fit,
    size_bytes,
)
from crier.deployed.deployment import Deployment
from crier.deployed.letter import DeadLetter, Origin, dead_letter_of
from crier.errors import explained

_HELD_SECONDS = 120
"""How long a message is hidden from other readers while it is looked at, at most."""

_POLL_SECONDS = 1
"""How long SQS waits for a message: from one second on it asks all of its servers."""

_BATCH = 10
"""The most messages that SQS gives out, or makes visible again, at once."""


class Waiting(NamedTuple):
    """How many messages of a queue can be received, and how many another reader holds."""

    visible: int
    hidden: int


@dataclass(frozen=True, slots=True)
class DeadLetterQueue:
    """A queue and its dead-letter queue. Each method raises CrierError when SQS refuses.

    `source_url` is the queue that the dead letters come from, `slice_url` is the slice queue: for
    dead slices both are the same.
    """

    client: Any
    origin: Origin
    url: str
    source_url: str
    slice_url: str

    @contextmanager
    def held(self) -> Iterator[Iterator[DeadLetter]]:
        """Yield the messages, each once; those that are not deleted are visible after the block."""
        receipts: dict[str, str] = {}
        try:
            yield self._receive(receipts)
        finally:
            self._let_go(list(receipts.values()))

    def waiting(self) -> Waiting:
        """Return roughly how many messages the queue has."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        with explained(f"the dead-letter queue of {self.origin.value} was not read"):
            answer = self.client.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)
        return Waiting(*(int(answer["Attributes"][name]) for name in names))

    def put_back(self, body: str, attributes: Attributes, *, is_slice: bool) -> tuple[LeftOut, ...]:
        """Send a message to the queue that it came from, but a slice's message to the slice queue.

        A slice's message is marked as redriven: the function then begins anew what it has counted
        against the slice. In the broadcast queue the mark has no meaning, because producers may
        send to that queue. Returns the attributes for which the message has no room.
        """
        mark = {REDRIVEN: Attribute("String", "1")} if is_slice else {}
        room_bytes = MOST_BYTES - len(body.encode()) - size_bytes(mark)
        kept, left_out = fit(attributes, places=MOST - len(mark), room_bytes=room_bytes)
        with explained("it was not put back"):
            self.client.send_message(
                QueueUrl=self.slice_url if is_slice else self.source_url,
                MessageBody=body,
                MessageAttributes={name: one.as_sqs() for name, one in (mark | kept).items()},
            )
        return left_out

    def delete(self, letter: DeadLetter) -> None:
        """Delete a message that is held."""
        with explained("it was not deleted from the dead-letter queue"):
            self.client.delete_message(QueueUrl=self.url, ReceiptHandle=letter.receipt)

    def _receive(self, receipts: dict[str, str]) -> Iterator[DeadLetter]:
        """Yield messages until none is new: a message that is visible again comes a second time."""
        while True:
            with explained(f"the dead-letter queue of {self.origin.value} was not read"):
                answer = self.client.receive_message(
                    QueueUrl=self.url,
                    AttributeNames=["All"],
                    MessageAttributeNames=["All"],
                    MaxNumberOfMessages=_BATCH,
                    VisibilityTimeout=_HELD_SECONDS,
                    WaitTimeSeconds=_POLL_SECONDS,
                )
            messages = answer.get("Messages", [])
            new = [one for one in messages if one["MessageId"] not in receipts]
            receipts |= {one["MessageId"]: one["ReceiptHandle"] for one in messages}
            if not new:
                return
            yield from (dead_letter_of(one, self.origin) for one in new)

    def _let_go(self, receipts: list[str]) -> None:
        """Make messages visible again; SQS answers for the deleted ones that they are gone."""
        for start in range(0, len(receipts), _BATCH):
            entries = [
                {"Id": str(number), "ReceiptHandle": receipt, "VisibilityTimeout": 0}
                for number, receipt in enumerate(receipts[start : start + _BATCH])
            ]
            with explained("dead letters stay hidden for two minutes"):
                self.client.change_message_visibility_batch(QueueUrl=self.url, Entries=entries)


def dead_letter_queues(deployment: Deployment) -> tuple[DeadLetterQueue, DeadLetterQueue]:
    """Return both dead-letter queues of a stack."""
    client, slice_url = deployment.client("sqs"), deployment.slice_queue_url
    places = {
        Origin.BROADCASTS: (deployment.dead_letter_queue_url, deployment.broadcast_queue_url),
        Origin.SLICES: (deployment.slice_dead_letter_queue_url, slice_url),
    }
    broadcasts, slices = (
        DeadLetterQueue(client, origin, url, source_url, slice_url)
        for origin, (url, source_url) in places.items()
    )
    return broadcasts, slices
