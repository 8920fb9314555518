"""Which sub-protocol a client is answered, as the function answers it."""

from collections.abc import Mapping
from typing import Any

import pytest

from broadcasting.subprotocol import choose, split_header
from handlers import connect
from testbed.model.fakes import NOW_MS, FakeDynamo

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln-_8"
JWE = "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0..aXY.Y2lwaGVy.dGFn"


def _answer(monkeypatch: pytest.MonkeyPatch, headers: Mapping[str, object]) -> dict[str, Any]:
    monkeypatch.setattr(connect, "connections_table", lambda: FakeDynamo().table)
    return connect.handler(_event(headers), None)


def _event(headers: Mapping[str, object]) -> dict[str, Any]:
    context = {"eventType": "CONNECT", "connectionId": "abc=", "connectedAt": NOW_MS}
    return {"requestContext": context, **headers}


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        ([], None),
        (["json"], "json"),
        (["json", "xml"], "json"),
        (["json", "crier.v1"], "crier.v1"),
        (["crier.v1", f"bearer.{JWT}"], "crier.v1"),
        ([f"bearer.{JWT}", "json"], "json"),
        ([f"bearer.{JWT}"], None),
        (["Bearer.abc", "BEARER.abc"], None),
        (["base64url.bearer.authorization.k8s.io.abc", "v4"], "v4"),
        ([JWT], None),
        ([JWE], None),
        ([JWT, "access_token"], "access_token"),
        (["CRIER.V1", "crier.v2"], "CRIER.V1"),
        (["two words", "a\r\nSet-Cookie: b", "é", "graphql-ws"], "graphql-ws"),
    ],
)
def test_choice_is_ours_or_the_first_without_a_secret(
    offered: list[str], chosen: str | None
) -> None:
    """`crier.v1` if it is offered, else the first that carries no token."""
    assert choose(offered) == chosen


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ([], []),
        ([""], []),
        (["a"], ["a"]),
        (["a,b", "c"], ["a", "b", "c"]),
        ([" a ,\t b,, "], ["a", "b"]),
    ],
)
def test_header_is_read_when_repeated_and_joined(values: list[str], names: list[str]) -> None:
    """The order is kept; empty elements are passed over, as RFC 9110 has it."""
    assert split_header(values) == names


@pytest.mark.parametrize(
    "headers",
    [
        {"headers": {"Sec-WebSocket-Protocol": "json, crier.v1"}},
        {"headers": {"sec-websocket-protocol": "crier.v1"}},
        {"headers": {"SEC-WEBSOCKET-PROTOCOL": "a,crier.v1,b"}},
        {"multiValueHeaders": {"Sec-WebSocket-Protocol": ["json", "crier.v1"]}},
        {"multiValueHeaders": {"Sec-Websocket-Protocol": ["json,a", "b, crier.v1"]}},
        {
            "headers": {"Sec-WebSocket-Protocol": "json"},
            "multiValueHeaders": {"Sec-WebSocket-Protocol": ["crier.v1", "json"]},
        },
        {
            "headers": {"Sec-WebSocket-Protocol": "crier.v1"},
            "multiValueHeaders": {"Host": ["a"]},
        },
        {"headers": {"Sec-WebSocket-Protocol": "crier.v1"}, "multiValueHeaders": None},
    ],
)
def test_connect_answers_the_sub_protocol(
    headers: Mapping[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """API Gateway gives the header in several shapes."""
    answer = _answer(monkeypatch, headers)

    assert answer == {"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": "crier.v1"}}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"headers": None},
        {"headers": {"Host": "a"}},
        {"headers": {"Sec-WebSocket-Protocol": ""}},
        {"headers": {"Sec-WebSocket-Protocol": f"bearer.{JWT}"}},
        {"headers": "x"},
        {"headers": {"Sec-WebSocket-Protocol": 7}},
        {"multiValueHeaders": {"Sec-WebSocket-Protocol": [7]}},
        {"multiValueHeaders": ["Sec-WebSocket-Protocol"]},
    ],
)
def test_connect_answers_no_sub_protocol_when_none_can_be(
    headers: Mapping[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """None offered, none answered; and a token is no sub-protocol."""
    assert _answer(monkeypatch, headers) == {"statusCode": 200}
