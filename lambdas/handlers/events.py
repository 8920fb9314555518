"""The events that API Gateway and SQS send, as far as the functions need them."""

import base64
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from broadcasting.attributes import Attribute, Attributes, readable

CONNECT, DISCONNECT, MESSAGE = "CONNECT", "DISCONNECT", "MESSAGE"
"""What `requestContext.eventType` says of an event of a WebSocket API.

A client chooses a route by a frame's content, `{"action": "$disconnect"}` too: the route's name
says nothing about what has happened.
https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-mapping-template-reference.html
"""


class EventError(Exception):
    """An event is not what the function is made for, or lacks what it must have.

    The message quotes what was found: give it neither a header, a query nor a whole event of a
    WebSocket API, as a token may be in these.
    """

    def __init__(self, found: object, expected: str) -> None:
        super().__init__(
            f"the event has {found!r:.200}, expected {expected}; this function serves one route of "
            "the WebSocket API, or the queues, and nothing else"
        )


def connection_id_of(event: Mapping[str, Any], event_type: str) -> str:
    """Return the connection that an event of a WebSocket API is about.

    Raises EventError when the event is of another type than `event_type`, too.
    """
    context = request_context(event)
    if context.get("eventType") != event_type:
        raise EventError(
            {"eventType": context.get("eventType")}, f"requestContext.eventType {event_type}"
        )
    connection_id = context.get("connectionId")
    if not isinstance(connection_id, str) or not connection_id:
        raise EventError({"connectionId": connection_id}, "requestContext.connectionId, a string")
    return connection_id


def shape_of(value: object) -> str:
    """Say what a value is like without a word of it."""
    kind = type(value).__name__
    return f"{kind} of {len(value)} characters" if isinstance(value, str) else kind


def frame_of(event: Mapping[str, Any]) -> str:
    """Return what a client has sent. Raises EventError when it is no text."""
    frame = event.get("body") or ""
    if not isinstance(frame, str):
        raise EventError({"body": frame}, "a body, a string")
    return frame


def request_context(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what API Gateway says of a connection. Raises EventError."""
    context = _object(event).get("requestContext")
    if not isinstance(context, dict):
        raise EventError({"requestContext": shape_of(context)}, "requestContext, an object")
    return context


def header_values(event: Mapping[str, Any], name: str) -> list[str]:
    """Return the values of a header, whatever the case of its name.

    `multiValueHeaders` has each value of a repeated header, `headers` the last one only. A value of
    another type is ignored: it is no reason to refuse a client.
    https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
    """
    return _named(event.get("multiValueHeaders"), name) or _named(event.get("headers"), name)


def _named(headers: object, name: str) -> list[str]:
    if not isinstance(headers, dict):
        return []
    values = [value for key, value in headers.items() if key.lower() == name]
    lists = [value if isinstance(value, list) else [value] for value in values]
    return [one for values in lists for one in values if isinstance(one, str)]


class Record(NamedTuple):
    """One SQS message of a batch; `sent_ms` is when it was sent, in epoch milliseconds."""

    message_id: str
    body: str
    queue_arn: str
    sent_ms: int
    attributes: Attributes = MappingProxyType({})


def records_of(event: Mapping[str, Any]) -> list[Record]:
    """Return the messages of an SQS event. Raises EventError when it is none."""
    records = _object(event).get("Records")
    if not isinstance(records, list) or any(_source_of(one) != "aws:sqs" for one in records):
        raise EventError({"Records": records}, "Records of SQS queues")
    try:
        return [_record(one) for one in records]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        expected = f"Records of SQS queues, whole ones: {error!r}"
        raise EventError({"Records": records}, expected) from error


def _object(event: object) -> Mapping[str, Any]:
    """Return an event, which may be any JSON when the function is called by hand."""
    if not isinstance(event, dict):
        raise EventError(shape_of(event), "an object")
    return event


def _record(record: Mapping[str, Any]) -> Record:
    return Record(
        record["messageId"],
        record["body"],
        record["eventSourceARN"],
        int(record["attributes"]["SentTimestamp"]),
        _attributes(record.get("messageAttributes") or {}),
    )


def _source_of(record: object) -> object:
    return record.get("eventSource") if isinstance(record, dict) else None


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
    except ValueError:
        return b""
