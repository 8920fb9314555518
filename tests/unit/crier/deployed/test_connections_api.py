"""`@connections` as boto3 asks it: ids, answers, what is tried again."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO
from typing import Any, cast

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config
from botocore.exceptions import EndpointConnectionError
from urllib3 import HTTPResponse

from crier.deployed.connections_api import ConnectionsApi, Inspected
from crier.deployed.deployment import Deployment
from crier.errors import CrierError

AT = datetime(2026, 1, 1, tzinfo=UTC)
AT_MS = int(AT.timestamp() * 1000)
AWS = {
    "connectedAt": "2026-01-01T00:00:00.000Z",
    "lastActiveAt": "2026-01-01T00:00:01Z",
    "identity": {"sourceIp": "203.0.113.7", "userAgent": "Firefox"},
}
LOCAL = {
    "ConnectedAt": int(AT.timestamp()),
    "LastActiveAt": int(AT.timestamp()) + 1,
    "Identity": {"sourceIp": "203.0.113.7", "userAgent": "Firefox"},
}

SOMEWHERE = Deployment("s", cast("boto3.Session", None), None, "", "", "", "", "", "", "", "")


class Wire:
    """Answers the requests of a boto3 client: each of `answers` in turn, a status and a body."""

    def __init__(self, *answers: tuple[int, object] | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[tuple[str, str, bytes]] = []

    def __call__(self, request: Any, **_: object) -> Any:
        """Answer one request; a hook of botocore's."""
        self.requests.append((request.method, request.url, request.body or b""))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        status, body = answer
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        raw: Any = HTTPResponse(BytesIO(text), preload_content=False)
        headers = HTTPHeaders.from_dict({"Content-Type": "application/json"})
        return AWSResponse(request.url, status, headers, raw)


@pytest.fixture
def waits() -> list[float]:
    """How long it waited before it tried again."""
    return []


@pytest.fixture
def ask(waits: list[float]) -> Iterator[Callable[..., ConnectionsApi]]:
    """Makes `@connections` of a stage whose answers are set."""
    clients = []

    def make(wire: Wire, *, is_over: bool = False) -> ConnectionsApi:
        session = boto3.Session("key", "secret", region_name="eu-central-1")
        deployment = replace(SOMEWHERE, session=session, callback_url="https://api.invalid/prod")
        client = deployment.callback_client()
        client.meta.events.register("before-send", wire)
        clients.append(client)

        def wait(seconds: float) -> bool:
            waits.append(seconds)
            return is_over

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Deployment, "callback_client", lambda _: client)
            api = ConnectionsApi.of(deployment, wait=wait)
        api._jitter = lambda: 1.0
        return api

    yield make
    for client in clients:
        client.close()


@pytest.mark.parametrize("body", [AWS, LOCAL])
def test_connection_is_told_by_aws_and_by_the_local_aws(
    ask: Callable[..., ConnectionsApi], body: object
) -> None:
    """The local one answers keys that begin with a capital letter, and times as numbers."""
    wire = Wire((200, body))

    found = ask(wire).get("L0SM9cOFvHcCIhw=")

    assert found == Inspected(AT_MS, AT_MS + 1000, "203.0.113.7", "Firefox")
    assert wire.requests[0][:2] == (
        "GET",
        "https://api.invalid/prod/@connections/L0SM9cOFvHcCIhw%3D",
    )


@pytest.mark.parametrize("body", [{}, {"identity": None}, {"connectedAt": None, "Identity": {}}])
def test_connection_is_shown_when_little_is_told(
    ask: Callable[..., ConnectionsApi], body: object
) -> None:
    """What is not told is none."""
    assert ask(Wire((200, body))).get("a") == Inspected(None, None, "", "")


@pytest.mark.parametrize(
    "body",
    [b"<html>", [1], {"connectedAt": "yesterday"}, {"connectedAt": 1e300}, {"identity": "x"}],
)
def test_connection_is_an_error_when_the_answer_is_none(
    ask: Callable[..., ConnectionsApi], body: object
) -> None:
    """What stands before API Gateway may answer in its place: a sentence, no traceback."""
    wire = Wire(*[(200, body)] * 8)

    with pytest.raises(CrierError, match=r"^connection a was not inspected: "):
        ask(wire).get("a")


def test_connection_is_none_when_it_is_gone(ask: Callable[..., ConnectionsApi]) -> None:
    """410 is an answer that is expected."""
    assert ask(Wire((410, {"message": "GoneException"}))).get("a") is None


def test_connection_is_an_error_when_it_is_forbidden(ask: Callable[..., ConnectionsApi]) -> None:
    """It is not tried again, and the message has what AWS says."""
    wire = Wire((403, {"message": "User: x is not authorized"}))

    with pytest.raises(CrierError, match=r"was not inspected: 403 .*x is not authorized"):
        ask(wire).get("a")

    assert len(wire.requests) == 1


@pytest.mark.parametrize(
    ("id_", "path"),
    [
        ("a=", "a%3D"),
        ("a/../b", "a%2F..%2Fb"),
        ("a?b#c", "a%3Fb%23c"),
        ("ü %", "%C3%BC%20%25"),
    ],
)
def test_id_is_encoded_for_the_path(
    ask: Callable[..., ConnectionsApi], id_: str, path: str
) -> None:
    """An odd id asks for no other path."""
    wire = Wire((200, b""), (204, b""))
    api = ask(wire)

    answers = api.post(id_, "bye"), api.delete(id_)

    assert all(one.is_done for one in answers)
    assert wire.requests == [
        ("POST", f"https://api.invalid/prod/@connections/{path}", b"bye"),
        ("DELETE", f"https://api.invalid/prod/@connections/{path}", b""),
    ]


@pytest.mark.parametrize(
    "first",
    [
        (429, {"message": "slow down"}),
        (500, {"message": "Internal server error"}),
        (503, b"<html>"),
        EndpointConnectionError(endpoint_url="https://api.invalid"),
    ],
)
def test_request_is_tried_again_when_its_trouble_may_pass(
    ask: Callable[..., ConnectionsApi], waits: list[float], first: Any
) -> None:
    """Throttling, faults of the server and lost answers, with a wait that grows."""
    wire = Wire(first, first, (204, b""))

    answer = ask(wire).delete("a")

    assert answer.is_done
    assert waits == [0.2, 0.4]


def test_request_is_given_up_after_some_tries(
    ask: Callable[..., ConnectionsApi], waits: list[float]
) -> None:
    """The last answer says why; no wait is longer than 2 s."""
    wire = Wire(*[(429, {"message": "slow down"})] * 8)

    answer = ask(wire).post("a", "bye")

    assert answer.is_throttled
    assert "429" in answer.why
    assert "slow down" in answer.why
    assert waits == [0.2, 0.4, 0.8, 1.6, 2.0, 2.0, 2.0]


def test_request_is_not_tried_again_once_it_is_over(
    ask: Callable[..., ConnectionsApi], waits: list[float]
) -> None:
    """Ctrl-C waits for no backoff."""
    answer = ask(Wire((429, {"message": "slow down"})), is_over=True).post("a", "bye")

    assert answer.is_throttled
    assert len(waits) == 1


def test_young_connection_is_asked_for_again_when_it_is_gone(
    ask: Callable[..., ConnectionsApi], waits: list[float]
) -> None:
    """Its `$connect` has run, and the socket may be open in a moment: not sooner by chance."""
    gone = (410, {"message": "GoneException"})
    young, dead, old = Wire(gone, (200, b"")), Wire(gone, gone, gone), Wire(gone)

    hasty = ask(young)
    hasty._jitter = lambda: 0.0
    answers = [
        hasty.post("a", "bye", is_young=True),
        ask(dead).post("a", "bye", is_young=True),
        ask(old).post("a", "bye"),
    ]

    assert [one.status for one in answers] == [200, 410, 410]
    assert waits == [0.2, 0.2, 0.4]


def test_callback_client_sends_each_request_once_and_soon_gives_up() -> None:
    """Another try is `ConnectionsApi`'s to make: it is the one that may be stopped."""
    seen: dict[str, Any] = {}

    class Session:
        def client(self, service: str, **options: Any) -> None:
            seen.update(options, service=service)

    session: Any = Session()
    replace(SOMEWHERE, session=session, callback_url="http://here/dev").callback_client()

    config = seen.pop("config")
    assert isinstance(config, Config)
    assert seen == {"service": "apigatewaymanagementapi", "endpoint_url": "http://here/dev"}
    assert vars(config)["retries"]["total_max_attempts"] == 1
    assert (vars(config)["connect_timeout"], vars(config)["read_timeout"]) == (5, 10)
