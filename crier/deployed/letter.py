"""One dead letter: what it is about, why it is there, and its producer's attributes."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from broadcasting.attributes import Attribute, Attributes, read_sqs
from broadcasting.connection import LATEST_MS
from broadcasting.dead_letter import read_letter
from broadcasting.errors import RejectedError
from broadcasting.slice_message import SliceId, parse_slice_message
from broadcasting.strict_json import read_json


class Origin(Enum):
    """Which queue a dead letter comes from."""

    BROADCASTS = "broadcasts"
    SLICES = "slices"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message of a dead-letter queue.

    `first_id` is the id that the message had in its own queue. `reason` says why our function
    rejected it or gave it up; a letter that our function did not write has no reason.
    `attributes` are those of the producer. `sent_ms` is in epoch milliseconds.
    """

    origin: Origin
    message_id: str
    first_id: str
    body: str
    reason: str
    is_moved: bool
    is_given_up: bool
    sent_ms: int
    attributes: Attributes = field(default_factory=dict)
    receipt: str = field(default="", repr=False)

    @property
    def is_rejected(self) -> bool:
        """Whether our function rejected it, because it broke the contract."""
        return bool(self.reason) and not self.is_given_up

    @property
    def why(self) -> str:
        """Why it is here, in words."""
        if self.reason:
            return self.reason
        if self.is_moved:
            return (
                "SQS moved it here after too many receives: the function's log says why, in the "
                f'lines "message goes back to the queue" with message_id {self.first_id}'
            )
        return "it has no reason: neither the function nor SQS put it here"

    @property
    def broadcast_id(self) -> str:
        """The id of the broadcast that it is about, empty when the body does not say it."""
        return self._read()[0]

    @property
    def slice_id(self) -> SliceId:
        """The ids of the broadcast and the slice that it names, both empty when it names none."""
        try:
            return parse_slice_message(self.body)
        except RejectedError:
            return SliceId("", "")

    @property
    def unreadable(self) -> str:
        """Why its body does not say which broadcast it is about; empty when it does."""
        return self._read()[1]

    def as_json(self) -> dict[str, Any]:
        """Return the letter for scripts."""
        return {
            "queue": self.origin.value,
            "message_id": self.message_id,
            "first_message_id": self.first_id,
            "broadcast_id": self.broadcast_id or None,
            "slice_id": (self.slice_id.slice_id or None) if self.origin is Origin.SLICES else None,
            "rejected": self.is_rejected,
            "given_up": self.is_given_up,
            "reason": self.why,
            "unreadable": self.unreadable or None,
            "sent_ms": self.sent_ms,
            "attributes": {name: _as_json(one) for name, one in self.attributes.items()},
            "body": self.body,
        }

    def _read(self) -> tuple[str, str]:
        """Return the id of the broadcast that the body names, or "" and why it names none."""
        try:
            if self.origin is Origin.SLICES:
                return parse_slice_message(self.body).broadcast_id, ""
            request = read_json(self.body)
        except ValueError as error:
            return "", f"body is not JSON: {error}"
        except RejectedError as error:
            return "", str(error)
        if not isinstance(request, dict):
            return "", "the body is no JSON object"
        named = request.get("id", self.first_id)
        if not isinstance(named, str):
            return "", "its id is no string"
        return (named, "") if named else ("", "its id is empty")


def dead_letter_of(message: Mapping[str, Any], origin: Origin) -> DeadLetter:
    """Read a message as SQS gives it out. It raises nothing, whatever a producer has written.

    SQS keeps the id of a message that it moves:
    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html
    """
    known = message.get("Attributes", {})
    is_moved = "DeadLetterQueueSourceArn" in known
    found = read_sqs(message.get("MessageAttributes", {}))
    note, attributes = read_letter(found, is_moved=is_moved)
    return DeadLetter(
        origin=origin,
        message_id=message["MessageId"],
        first_id=note.message_id if note else message["MessageId"],
        body=message["Body"],
        reason=note.reason if note else "",
        is_given_up=note is not None and note.is_given_up,
        is_moved=is_moved,
        sent_ms=_milliseconds(known.get("SentTimestamp", "")),
        attributes=attributes,
        receipt=message["ReceiptHandle"],
    )


def _milliseconds(text: str) -> int:
    """Return a time in epoch milliseconds, 0 for a text that is not a time."""
    return min(int(text), LATEST_MS) if text.isdecimal() and len(text) <= len(str(LATEST_MS)) else 0


def _as_json(attribute: Attribute) -> dict[str, str]:
    value = attribute.value
    shown = base64.b64encode(value).decode() if isinstance(value, bytes) else value
    return {"type": attribute.data_type, "value": shown}
