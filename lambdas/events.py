"""The events that API Gateway and SQS send, as far as the functions need them."""

import base64
import binascii
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from broadcasting.attributes import Attribute, Attributes, readable
from broadcasting.audience import Connection


class EventError(Exception):
    """An event lacks what it must have: the function was not invoked by what it is made for."""

    def __init__(self, found: object, expected: str) -> None:
        super().__init__(
            f"the event has {found!r}, expected {expected}; only a WebSocket API's routes "
            "invoke this function"
        )


def parse_connect(event: Mapping[str, Any]) -> Connection:
    """Return the connection that a `$connect` event announces. Raises EventError."""
    connection_id = connection_id_of(event)
    connected_at: Any = _request_context(event).get("connectedAt")
    try:
        return Connection(connection_id, connected_at)
    except ValueError as error:
        expected = "requestContext.connectedAt in epoch milliseconds"
        raise EventError({"connectedAt": connected_at}, expected) from error


def connection_id_of(event: Mapping[str, Any]) -> str:
    """Return the connection that an event of a WebSocket API is about. Raises EventError."""
    connection_id = _request_context(event).get("connectionId")
    if not isinstance(connection_id, str) or not connection_id:
        raise EventError({"connectionId": connection_id}, "requestContext.connectionId, a string")
    return connection_id


def _request_context(event: Mapping[str, Any]) -> Mapping[str, Any]:
    context = event.get("requestContext")
    if not isinstance(context, dict):
        raise EventError({"requestContext": context}, "requestContext, an object")
    return context


class Record(NamedTuple):
    """One SQS message of a batch; `sent_ms` is when it was sent, in epoch milliseconds."""

    message_id: str
    body: str
    queue_arn: str
    sent_ms: int
    attributes: Attributes = MappingProxyType({})


def records_of(event: Mapping[str, Any]) -> list[Record]:
    """Return the messages of an SQS event."""
    return [
        Record(
            record["messageId"],
            record["body"],
            record["eventSourceARN"],
            int(record["attributes"]["SentTimestamp"]),
            _attributes(record.get("messageAttributes") or {}),
        )
        for record in event["Records"]
    ]


def _attributes(found: Mapping[str, Any]) -> dict[str, Attribute]:
    """Return the attributes of a message; those that cannot be read are none.

    https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
    """
    return readable(
        (name, one.get("dataType"), _bytes(one.get("binaryValue")) or one.get("stringValue"))
        for name, one in found.items()
    )


def _bytes(encoded: str | None) -> bytes:
    """Return what a Binary attribute holds: the event has it in base64."""
    try:
        return base64.b64decode(encoded or "", validate=True)
    except binascii.Error:
        return b""
