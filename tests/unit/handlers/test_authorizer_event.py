"""What the event of a client that connects says of it, in all the shapes that it may have."""

from typing import Any

import pytest

from access.admission import ConnectRequest
from access.refusal import Refusal, RefusedError
from handlers.authorizer_event import method_arn_of, parse_connect_request
from tests.support.authorizing import ARN, connecting

QUERY, QUERIES = "queryStringParameters", "multiValueQueryStringParameters"


@pytest.mark.parametrize(
    ("changes", "queried"),
    [
        ({}, ()),
        ({QUERY: {"token": "a"}, QUERIES: {"token": ["a"]}}, ("a",)),
        ({QUERY: {"token": "b"}, QUERIES: {"token": ["a", "b"]}}, ("a", "b")),
        ({QUERY: {"token": "a"}}, ("a",)),
        ({QUERIES: {"token": ["a"]}}, ("a",)),
        ({QUERY: {"token": "a"}, QUERIES: {"other": ["b"]}}, ("a",)),
        ({QUERY: {"Token": "a", "TOKEN": "b", "tokens": "c"}}, ()),
        ({QUERY: {"token": ""}}, ("",)),
        ({QUERIES: {"token": []}}, ()),
    ],
)
def test_event_has_each_token_of_the_query(
    changes: dict[str, Any], queried: tuple[str, ...]
) -> None:
    """One that is given twice is two tokens; the name is `token`, letter by letter."""
    assert parse_connect_request(connecting(**changes)) == ConnectRequest(queried=queried)


@pytest.mark.parametrize("name", ["sec-websocket-protocol", "Sec-WebSocket-Protocol"])
@pytest.mark.parametrize("other", [None, {}, {"Host": ["a"]}])
def test_event_has_the_subprotocols_whatever_the_case_of_the_header(
    name: str, other: dict[str, Any] | None
) -> None:
    """API Gateway leaves it as the client wrote it."""
    headers = {name: "crier.v1, bearer.t.o.k"}

    found = parse_connect_request(connecting(headers=headers, multiValueHeaders=other))

    assert found.protocols == ("crier.v1", "bearer.t.o.k")


def test_event_has_each_value_of_a_header() -> None:
    """Two origins are two, in one case or in two."""
    several = {"Sec-WebSocket-Protocol": ["crier.v1", "bearer.a,bearer.b"], "Origin": ["x", "y"]}

    found = parse_connect_request(connecting(headers={"Origin": "y"}, multiValueHeaders=several))
    cased = parse_connect_request(connecting(multiValueHeaders={"Origin": ["x"], "origin": ["y"]}))

    assert found.protocols == ("crier.v1", "bearer.a", "bearer.b")
    assert found.origins == cased.origins == ("x", "y")


NO_EVENTS: list[Any] = [{}, None, "text", [ARN]]


def test_event_names_its_route() -> None:
    """An answer must name it."""
    assert method_arn_of(connecting()) == ARN
    assert [method_arn_of(one) for one in NO_EVENTS] == [None] * 4


NO_QUERIES: list[Any] = [7, "token=t", []]
KINDS: list[Any] = ["TOKEN", "request", None, 7]
ARNS: list[Any] = [None, "", "*", 7, ARN + "\n", f"{ARN}/*", ARN.replace("$", "*")]
NO_TEXTS: list[Any] = [7, {"a": 1}, [7]]
NO_LISTS: list[Any] = [7, ["t", None], [["t"]]]


@pytest.mark.parametrize(
    "event",
    [
        *(None, "text", 7, [], {}, {"Records": []}),
        *(connecting("t", type=kind) for kind in KINDS),
        *(connecting("t", methodArn=arn) for arn in ARNS),
        *(connecting("t", methodArn=ARN.replace("prod", one)) for one in ("a/b", "a b", "x" * 129)),
        *(connecting(**{QUERY: query}) for query in NO_QUERIES),
        *(connecting(**{QUERY: {"token": token}}) for token in NO_TEXTS),
        *(connecting(**{QUERIES: {"token": tokens}}) for tokens in NO_LISTS),
    ],
)
def test_event_is_refused_when_it_is_malformed(event: Any) -> None:
    """What is not understood lets no client in; a wildcard in a route would let in by others."""
    with pytest.raises(RefusedError) as caught:
        parse_connect_request(event)

    assert caught.value.refusal is Refusal.EVENT
