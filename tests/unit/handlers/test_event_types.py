"""Each function does only what it is for, whichever route brings an event to it."""

import io
from typing import TYPE_CHECKING, Any, cast

import pytest

from handlers import broadcast, connect, disconnect, unknown_frame
from handlers.events import EventError
from testbed.model.fakes import NOW_MS, FakeDynamo

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

HANDLERS = {
    "CONNECT": connect.handler,
    "DISCONNECT": disconnect.handler,
    "MESSAGE": unknown_frame.handler,
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


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"Records": None},
        {"Records": {}},
        {"Records": [None]},
        {"Records": [{"eventSource": "aws:s3"}]},
        {"Records": [{"EventSource": "aws:sns"}]},
        {"requestContext": {"eventType": "MESSAGE", "connectionId": "a"}, "body": "{}"},
    ],
)
def test_broadcast_refuses_events_that_are_not_of_sqs(event: dict[str, Any]) -> None:
    """Nothing is built or touched for them."""
    with pytest.raises(EventError, match="expected Records of SQS queues"):
        broadcast.handler(event, cast("LambdaContext", None))
