"""Each function does only what it is for, whichever route brings an event to it."""

import io
from typing import TYPE_CHECKING, Any, cast

import pytest

from handlers import broadcast, client_frame, connect, disconnect
from handlers.events import EventError
from testbed.model.fakes import NOW_MS, FakeDynamo

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

HANDLERS = {
    "CONNECT": connect.handler,
    "DISCONNECT": disconnect.handler,
    "MESSAGE": client_frame.handler,
}

RECORD = {
    "eventSource": "aws:sqs",
    "eventSourceARN": "arn:aws:sqs:eu-central-1:123456789012:broadcasts",
    "messageId": "m1",
    "body": "{}",
    "attributes": {"SentTimestamp": str(NOW_MS)},
}


@pytest.mark.parametrize("event_type", [*HANDLERS, None, "connect", ""])
@pytest.mark.parametrize("function", HANDLERS)
def test_function_ignores_events_of_other_types(
    function: str, event_type: str | None, monkeypatch: pytest.MonkeyPatch, log: io.StringIO
) -> None:
    """A frame that names a route, `{"action": "$disconnect"}`, ends nothing and begins nothing."""
    dynamo = FakeDynamo({"abc=": 1})
    for module in (connect, disconnect):
        monkeypatch.setattr(module, "connections_table", lambda: dynamo.table)
    context = {"eventType": event_type, "connectionId": "abc=", "connectedAt": NOW_MS}

    answer = HANDLERS[function]({"requestContext": context, "body": "x"}, None)

    if event_type == function:
        assert answer["statusCode"] == 200
    else:
        assert (answer, dynamo.rows) == ({"statusCode": 400}, {"abc=": 1})
        assert f"expected requestContext.eventType {function}" in log.getvalue()


@pytest.mark.parametrize("event", [None, [], "x", 1])
@pytest.mark.parametrize("function", HANDLERS)
def test_function_answers_400_to_what_is_no_object(
    function: str, event: Any, log: io.StringIO
) -> None:
    """Called by hand, it is given any JSON."""
    answer = HANDLERS[function](event, None)

    assert answer == {"statusCode": 400}
    assert "expected an object" in log.getvalue()


@pytest.mark.parametrize("body", [{"a": 1}, ["x"], 5])
def test_client_frame_answers_400_when_the_body_is_no_text(body: Any, log: io.StringIO) -> None:
    """API Gateway gives a frame as a text: another body is nothing that a client has sent."""
    context = {"eventType": "MESSAGE", "connectionId": "abc="}

    answer = client_frame.handler({"requestContext": context, "body": body}, None)

    assert answer == {"statusCode": 400}
    assert "expected a body, a string" in log.getvalue()


@pytest.mark.parametrize(
    "event",
    [
        None,
        [],
        "x",
        {},
        {"Records": None},
        {"Records": {}},
        {"Records": [None]},
        {"Records": [{"eventSource": "aws:s3"}]},
        {"Records": [{"EventSource": "aws:sns"}]},
        {"Records": [{"eventSource": "aws:sqs"}]},
        {"Records": [RECORD | {"attributes": {}}]},
        {"Records": [RECORD | {"attributes": {"SentTimestamp": "now"}}]},
        {"Records": [RECORD | {"messageAttributes": {"tenant": None}}]},
        {"requestContext": {"eventType": "MESSAGE", "connectionId": "a"}, "body": "{}"},
    ],
)
def test_broadcast_refuses_events_that_are_not_of_sqs(event: Any) -> None:
    """Nothing is built or touched for them."""
    with pytest.raises(EventError, match=r"expected (Records of SQS queues|an object)"):
        broadcast.handler(event, cast("LambdaContext", None))
