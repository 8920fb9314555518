"""Whose connection a `$connect` event announces."""

import io
import json
from typing import Any

import pytest

from broadcasting.connecting_client import ConnectingClient
from broadcasting.connection import LATEST_MS, Connection
from broadcasting.user_rows import user_key
from handlers import connect, disconnect
from handlers.arrivals import parse_connect
from handlers.events import EventError
from testbed.model.fakes import NOW_MS, FakeDynamo

NOW_SECONDS = NOW_MS // 1000
LATEST = LATEST_MS // 1000
CONNECTION = Connection("abc=", NOW_MS)
TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl"  # noqa: S105 - of no use
SIGNED = {"userArn": "arn:aws:iam::123456789012:user/alice", "user": "AIDACKCEVSQ6C2EXAMPLE"}
NO_ENDS: tuple[object, ...] = (
    *("", "soon", "-1", "1.8e9", "1e400", " 1800000000", "١٨٠٠٠٠٠٠٠٠", "9" * 13, "9" * 5_000),
    *(TOKEN, 1.8e9, True, [], {}, 0, -1, 10**400),
    *(str(NOW_SECONDS), NOW_SECONDS - 1, "0"),
)


def _event(**context: object) -> dict[str, Any]:
    return {
        "headers": {"Sec-WebSocket-Protocol": f"crier.v1, bearer.{TOKEN}"},
        "queryStringParameters": {"token": TOKEN},
        "requestContext": {
            "eventType": "CONNECT",
            "connectionId": CONNECTION.id,
            "connectedAt": NOW_MS,
            **context,
        },
    }


@pytest.mark.parametrize(
    ("context", "user", "expires_seconds"),
    [
        ({}, None, None),
        ({"authorizer": None}, None, None),
        ({"authorizer": {}}, None, None),
        ({"identity": None}, None, None),
        ({"identity": {"sourceIp": "192.0.2.1", "userArn": None, "user": None}}, None, None),
        ({"identity": {"user": "AIDA"}}, None, None),
        ({"identity": {"userArn": "arn:aws:iam::1:root"}}, None, None),
        ({"identity": SIGNED}, "AIDACKCEVSQ6C2EXAMPLE", None),
        ({"identity": SIGNED | {"user": "AROAX:session@x"}}, "AROAX:session@x", None),
        ({"authorizer": {"principalId": "alice"}}, "alice", None),
        ({"authorizer": {"principalId": "alice"}, "identity": SIGNED}, "alice", None),
        ({"authorizer": {"principalId": "🦊#1", "exp": None}}, "🦊#1", None),
        (
            {"authorizer": {"principalId": "a", "exp": str(NOW_SECONDS + 60), "channels": "*"}},
            "a",
            NOW_SECONDS + 60,
        ),
        ({"authorizer": {"principalId": "a", "exp": NOW_SECONDS + 60}}, "a", NOW_SECONDS + 60),
        ({"authorizer": {"principalId": "a", "exp": str(LATEST)}}, "a", LATEST),
    ],
)
def test_event_says_whose_connection_it_is(
    context: dict[str, Any], user: str | None, expires_seconds: int | None
) -> None:
    """The authorizer's user, else the IAM principal, else none."""
    arrival = parse_connect(_event(**context))

    assert arrival.client == ConnectingClient(CONNECTION, user, expires_seconds)
    assert arrival.subprotocols[0] == "crier.v1"


@pytest.mark.parametrize(
    "context",
    [
        {"authorizer": TOKEN},
        {"authorizer": [TOKEN]},
        {"authorizer": ""},
        {"authorizer": False},
        {"authorizer": {"exp": str(NOW_SECONDS + 60)}},
        {"authorizer": {"integrationLatency": 5}, "identity": SIGNED},
        {"authorizer": {"principalId": None, "exp": "1"}},
        {"authorizer": {"principalId": ""}},
        {"authorizer": {"principalId": 7}},
        {"authorizer": {"principalId": [TOKEN]}},
        {"authorizer": {"principalId": f"{TOKEN}\n"}},
        {"authorizer": {"principalId": TOKEN * 5}},
        {"identity": SIGNED | {"user": ""}},
        {"identity": SIGNED | {"user": "x" * 129}},
        {"identity": SIGNED | {"user": {"name": TOKEN}}},
        *({"authorizer": {"principalId": "a", "exp": end}} for end in NO_ENDS),
    ],
)
def test_client_is_refused_when_the_event_says_something_else(
    context: dict[str, Any], log: io.StringIO
) -> None:
    """No row is written; the log says what is wrong, and no word of what may be a token."""
    dynamo = FakeDynamo()

    answer = connect.admit(_event(**context), lambda: dynamo.table, lambda: False)

    assert (answer, dynamo.rows, dynamo.others, dynamo.batches) == ({"statusCode": 400}, {}, {}, [])
    (line,) = log.getvalue().splitlines()
    assert json.loads(line)["message"] == "refused a connection"
    assert "expected" in json.loads(line)["reason"]
    assert len(line) < 1_000
    assert not any(part in line for part in TOKEN.split("."))


def test_error_of_a_client_names_what_is_wrong_by_its_kind() -> None:
    """Both of what the authorizer has said, without a word of either."""
    with pytest.raises(EventError) as caught:
        parse_connect(_event(authorizer={"principalId": "a\n", "exp": NOW_SECONDS}))

    assert "{'user': 'str of 2 characters', 'exp': 'int'}" in str(caught.value)


@pytest.mark.parametrize("context", [{}, {"authorizer": None}, {"authorizer": {}}])
def test_connect_refuses_a_client_without_a_user_where_the_authorizer_names_one(
    context: dict[str, Any], log: io.StringIO
) -> None:
    """It has come by a route that lost its authorizer: all could come in by that."""
    dynamo = FakeDynamo()

    answer = connect.admit(_event(**context), lambda: dynamo.table, lambda: True)

    assert (answer, dynamo.rows) == ({"statusCode": 400}, {})
    assert "expected the user whom the authorizer" in json.loads(log.getvalue())["reason"]


def test_connect_lets_a_user_in_where_the_authorizer_names_one() -> None:
    """As with every client that comes by the authorizer."""
    dynamo = FakeDynamo()
    event = _event(authorizer={"principalId": "alice"})

    assert connect.admit(event, lambda: dynamo.table, lambda: True)["statusCode"] == 200


@pytest.mark.parametrize("event", [TOKEN, [TOKEN], {"requestContext": TOKEN}])
def test_error_of_a_whole_event_quotes_none_of_it(event: Any) -> None:
    """A query or a header may be in it."""
    with pytest.raises(EventError) as caught:
        parse_connect(event)

    assert TOKEN not in str(caught.value)
    assert "an object" in str(caught.value)


@pytest.mark.parametrize(("user", "logged"), [(None, {}), ("alice", {"user": "alice"})])
def test_connect_logs_the_user_if_there_is_one(
    user: str | None, logged: dict[str, str], log: io.StringIO
) -> None:
    """Which connections a user had is told by the log; what it came with is not."""
    dynamo = FakeDynamo()
    event = _event(authorizer={"principalId": user} if user else None)

    assert connect.admit(event, lambda: dynamo.table, lambda: False)["statusCode"] == 200

    line = json.loads(log.getvalue())
    assert {key: line[key] for key in ("message", "connection_id", "user") if key in line} == {
        "message": "connected",
        "connection_id": CONNECTION.id,
        **logged,
    }
    assert TOKEN not in log.getvalue()


@pytest.mark.parametrize(
    ("context", "user"),
    [
        ({"authorizer": {"principalId": "alice", "exp": "1"}}, "alice"),
        ({"identity": SIGNED}, SIGNED["user"]),
        ({}, None),
        ({"authorizer": {"principalId": "a\nb"}}, None),
        ({"authorizer": {"principalId": 7}}, None),
        ({"authorizer": {"exp": "1"}}, None),
        ({"authorizer": "alice"}, None),
    ],
)
def test_disconnect_deletes_the_rows_of_the_user_that_its_event_names(
    context: dict[str, Any], user: str | None
) -> None:
    """An event that names it oddly, or no more, ends the connection all the same."""
    dynamo = FakeDynamo({CONNECTION.id: NOW_MS})
    if user:
        dynamo.others = {user_key(user, CONNECTION.id): {}}

    answer = disconnect.forget(
        _event(**{"eventType": "DISCONNECT", **context}), lambda: dynamo.table
    )

    assert (answer, dynamo.rows, dynamo.others) == ({"statusCode": 200}, {}, {})
    assert dynamo.batches == ([[CONNECTION.id]] if user else [])
