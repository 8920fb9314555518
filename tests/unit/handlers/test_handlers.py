"""The handlers of connections, called with the events that API Gateway sends."""

import io
from typing import Any

import pytest

from handlers import connect, disconnect
from log import logger
from settings import SettingsError
from testbed.model.fakes import (
    NOW_MS,
    OLD_MS,
    FakeDynamo,
    FakeFanOut,
    FakeLedgerTable,
    FakeSqs,
    FakeTime,
    aws_error,
)
from tests.support.broadcast_floor import (
    BroadcastFloor,
    messages_of,
    sqs_record,
)

_EVENT_TYPES = {"$connect": "CONNECT", "$disconnect": "DISCONNECT", "$default": "MESSAGE"}


@pytest.fixture
def floor() -> BroadcastFloor:
    """The broadcast function, wired to fakes, with one connection."""
    return BroadcastFloor(
        FakeSqs(), FakeDynamo({"a": OLD_MS}), FakeFanOut(), FakeLedgerTable(), FakeTime()
    )


def _web_socket_event(route: str, **context: object) -> dict[str, Any]:
    return {
        "requestContext": {
            "routeKey": route,
            "eventType": _EVENT_TYPES[route],
            "connectionId": "abc=",
            "connectedAt": NOW_MS,
            "stage": "prod",
            "apiId": "a1",
            **context,
        },
        "isBase64Encoded": False,
    }


@pytest.fixture
def dynamo() -> FakeDynamo:
    """The table that connect and disconnect write to."""
    return FakeDynamo()


def _connect(event: dict[str, Any], dynamo: FakeDynamo) -> dict[str, Any]:
    return connect.admit(event, lambda: dynamo.table, lambda: False)


def _disconnect(event: dict[str, Any], dynamo: FakeDynamo) -> dict[str, Any]:
    return disconnect.forget(event, lambda: dynamo.table)


def test_connect_writes_the_row(dynamo: FakeDynamo) -> None:
    """The client is let in once the row is there."""
    answer = _connect(_web_socket_event("$connect"), dynamo)

    assert (answer, dynamo.rows) == ({"statusCode": 200}, {"abc=": NOW_MS})


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"requestContext": None},
        {"requestContext": "x"},
        {"requestContext": {}},
        _web_socket_event("$connect", connectionId=""),
        _web_socket_event("$connect", connectionId=None),
        _web_socket_event("$connect", connectionId=7),
        _web_socket_event("$connect", connectedAt=None),
        _web_socket_event("$connect", connectedAt="1"),
        _web_socket_event("$connect", connectedAt=True),
        _web_socket_event("$connect", connectedAt=-1),
        _web_socket_event("$connect", connectedAt=10**400),
        _web_socket_event("$connect", connectedAt=1.5),
    ],
)
def test_connect_refuses_when_the_event_lacks_something(
    event: dict[str, Any], dynamo: FakeDynamo, log: io.StringIO
) -> None:
    """No row is written; the log says what was expected."""
    answer = _connect(event, dynamo)

    assert (answer, dynamo.rows) == ({"statusCode": 400}, {})
    assert "expected requestContext" in log.getvalue()


def test_connect_refuses_when_the_row_cannot_be_written(dynamo: FakeDynamo) -> None:
    """Without a row the client would never receive anything."""
    dynamo.write_errors = [aws_error(400)]

    assert _connect(_web_socket_event("$connect"), dynamo) == {"statusCode": 500}


def test_connect_raises_when_the_environment_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing setting is ours to mend, not the client's."""
    monkeypatch.delenv("CONNECTIONS_TABLE", raising=False)

    with pytest.raises(SettingsError, match="CONNECTIONS_TABLE"):
        connect.handler(_web_socket_event("$connect"), None)


@pytest.mark.parametrize("rows", [{"abc=": 1}, {}])
def test_disconnect_removes_the_row(rows: dict[str, int], dynamo: FakeDynamo) -> None:
    """Also when it is gone already."""
    dynamo.rows = dict(rows)

    answer = _disconnect(_web_socket_event("$disconnect"), dynamo)

    assert (answer, dynamo.rows) == ({"statusCode": 200}, {})


def test_disconnect_answers_400_when_the_event_lacks_the_connection(dynamo: FakeDynamo) -> None:
    """Nothing is deleted."""
    dynamo.rows = {"abc=": 1}

    assert _disconnect({}, dynamo) == {"statusCode": 400}
    assert dynamo.rows == {"abc=": 1}


def test_disconnect_answers_500_when_the_row_stays(dynamo: FakeDynamo) -> None:
    """The next broadcast deletes it."""
    dynamo.write_errors = [aws_error(400)]

    assert _disconnect(_web_socket_event("$disconnect"), dynamo) == {"statusCode": 500}


@pytest.mark.parametrize("level", ["WARNING", "ERROR"])
def test_handlers_log_the_account_and_no_coming_and_going_when_the_level_is_high(
    floor: BroadcastFloor, dynamo: FakeDynamo, log: io.StringIO, level: str
) -> None:
    """A million connects cost no line; what became of a broadcast, or of a client, is told."""
    logger.setLevel(level)
    try:
        _connect(_web_socket_event("$connect"), dynamo)
        _disconnect(_web_socket_event("$disconnect"), dynamo)
        dynamo.write_errors = [aws_error(400)]
        _connect(_web_socket_event("$connect"), dynamo)
        floor.handle(sqs_record("m1", '{"message": 1}'))
        floor.handle(sqs_record("m2", "nonsense"))
    finally:
        logger.setLevel("INFO")

    assert messages_of(log) == ["refused a connection", "slice closed", "settled", "rejected"]
