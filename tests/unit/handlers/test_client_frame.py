"""The door of clients' frames: it always answers, and logs nothing that a client has sent."""

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest

from broadcasting.channel_patterns import NO_CHANNELS
from client_frame_wiring import CLIENT_CONFIG
from clients.requests import ANSWER_SECONDS, TAKE_BACK_SECONDS
from handlers import client_frame
from handlers.client_frame import respond
from log import logger
from settings import ClientFrameSettings, SettingsError
from tests.support.client_scene import SETTINGS, Scene

ENVIRONMENT = {
    "CONNECTIONS_TABLE": "c",
    "BROADCASTS_TABLE": "b",
    "REPLAY_SECONDS": "86400",
    "REPLAY_FRAMES": "300",
    "OPEN_CHANNELS": "news game:*",
}
SECRET = "s3cr3t"  # noqa: S105 - what must not be logged


@pytest.fixture
def scene() -> Scene:
    """A connection."""
    scene = Scene()
    scene.connect()
    scene.count("*", 0)
    return scene


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What is logged, of all levels."""
    stream = io.StringIO()
    monkeypatch.setattr(logger.registered_handler, "stream", stream)
    logger.setLevel("DEBUG")
    yield stream
    logger.setLevel("INFO")


def _lines(log: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.getvalue().splitlines()]


def test_answer_is_not_logged(scene: Scene, log: io.StringIO) -> None:
    """A client may ask for much, and each line is paid for."""
    answer = scene.ask("join", at={"*": None})

    assert answer["type"] == "joined"
    assert _lines(log) == []


@pytest.mark.parametrize(
    "body",
    [
        SECRET,
        json.dumps({"action": SECRET}),
        json.dumps({"action": "ping", SECRET: 1}),
        json.dumps({"action": "subscribe", "at": {f"@{SECRET}": None}}),
        json.dumps({"action": "subscribe", "ref": SECRET, "at": {SECRET: 1}}),
    ],
)
def test_refused_frame_is_logged_without_a_word_of_it(
    scene: Scene, log: io.StringIO, body: str
) -> None:
    """The client is told more: it knows what it has sent."""
    answer = json.loads(scene.tell(body))

    (line,) = _lines(log)
    assert (line["level"], line["message"]) == ("INFO", "refused a frame")
    assert (line["connection_id"], line["code"]) == ("c1=", answer["code"])
    assert SECRET not in log.getvalue()


@pytest.mark.parametrize(
    ("keys", "code"),
    [
        ({"action": "fly"}, "unknown-action"),
        ({"action": "join"}, "bad-frame"),
        ({"action": "ping", "at": {"@": 1}}, "not-allowed"),
    ],
)
def test_refusal_has_the_ref_of_its_frame(scene: Scene, keys: dict[str, Any], code: str) -> None:
    """Whether the frame was refused when it was read, or what it asks for was."""
    answer = json.loads(scene.tell(json.dumps(keys | {"ref": "r"})))

    assert (answer["code"], answer["ref"]) == (code, "r")


def test_busy_is_logged_as_a_warning_without_a_key(scene: Scene, log: io.StringIO) -> None:
    """A key may hold a user's name; the code of AWS says what happened."""
    scene.wire.always = "refuse"

    answer = scene.ask(
        "replay",
        channel="@",
        epoch="",
        from_=0,
        ref=SECRET,
        authorizer={"principalId": SECRET},
    )

    (line,) = _lines(log)
    assert (answer["code"], answer["ref"]) == ("busy", SECRET)
    assert (line["level"], line["code"]) == ("WARNING", "AccessDeniedException")
    assert line["error"] == "ReadError from ClientError"
    assert SECRET not in log.getvalue()


def test_busy_is_logged_by_its_kind_when_aws_has_said_nothing(
    scene: Scene, log: io.StringIO
) -> None:
    """DynamoDB has answered, and left rows unprocessed: there is no code of AWS."""
    scene.wire.always = "unprocessed"

    scene.ask("ping", at={"*": 1})

    (line,) = _lines(log)
    assert (line["level"], line["code"]) == ("WARNING", "BusyError")


def test_error_that_was_not_foreseen_is_answered_as_busy(
    scene: Scene, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And logged by its kind and its place: its text may quote anything."""

    def fail(*_: object) -> None:
        raise ValueError(SECRET)

    monkeypatch.setattr(scene.wired.requests, "answer", fail)

    answer = scene.ask("ping", ref="p")

    (line,) = _lines(log)
    assert answer == {
        "type": "error",
        "ref": "p",
        "code": "busy",
        "message": "not done now: ask again after 1500 ms",
        "retry": True,
        "afterMs": 1500,
    }
    assert (line["level"], line["error"]) == ("ERROR", "ValueError")
    assert SECRET not in log.getvalue()


def test_frame_is_answered_though_the_function_is_not_wired(
    log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A deploy gives a function its code before its variables."""
    for name in ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)

    answer = client_frame.handler(Scene().event('{"action": "ping"}'), None)

    assert answer["statusCode"] == 200
    assert json.loads(answer["body"])["code"] == "busy"
    assert "OPEN_CHANNELS is missing" in _lines(log)[0]["reason"]


@pytest.mark.parametrize("body", [None, ""])
def test_empty_frame_is_refused(scene: Scene, body: str | None) -> None:
    """As one that is no JSON."""
    assert json.loads(scene.tell(body))["code"] == "bad-frame"


def test_binary_frame_is_refused(scene: Scene) -> None:
    """API Gateway has it in base64."""
    answer = json.loads(scene.tell("eyJhIjoxfQ==", isBase64Encoded=True))

    assert (answer["code"], answer["message"]) == (
        "bad-frame",
        "found a binary frame, expected text",
    )


@pytest.mark.parametrize(
    "context",
    [
        {"connectedAt": None},
        {"connectedAt": "1"},
        {"connectedAt": -1},
        {"authorizer": "x"},
        {"authorizer": {"principalId": "a", "exp": "soon"}},
        {"authorizer": {"principalId": "a", "exp": 10**15}},
        {"authorizer": {"principalId": "a", "channels": "a b !"}},
        {"authorizer": {"principalId": "a", "channels": 7}},
    ],
)
def test_event_that_is_odd_is_answered_without_a_text(
    scene: Scene, log: io.StringIO, context: dict[str, Any]
) -> None:
    """It is none of a client that we let in."""
    event = scene.event('{"action": "ping"}')
    event["requestContext"] |= context

    assert respond(event, lambda: scene.wired) == {"statusCode": 400}
    assert [line["level"] for line in _lines(log)] == ["WARNING"]


@pytest.mark.parametrize(
    ("said", "allowed"),
    [
        ({}, ["news", "game:1"]),
        ({"channels": "a game:*"}, ["a", "game:1"]),
        ({"channels": NO_CHANNELS}, []),
    ],
)
def test_channels_are_those_of_the_authorizer_or_the_open_ones(
    said: dict[str, str], allowed: list[str]
) -> None:
    """In the mode open there is no authorizer."""
    scene = Scene(SETTINGS._replace(open_channels=("news", "game:*")))
    authorizer = {"principalId": "alice", **said} if said else None

    found = [
        name
        for name in ("a", "news", "game:1", "other")
        if scene.ask("ping", at={name: 0}, authorizer=authorizer)["type"] == "pong"
    ]

    assert found == allowed


def test_user_of_iam_has_a_stream(scene: Scene) -> None:
    """The unique id of the principal is the user."""
    event = scene.event('{"action": "ping", "at": {"@": 0}}')
    event["requestContext"]["identity"] = {"userArn": "arn:aws:iam::1:user/a", "user": "AIDAX"}
    scene.count("user#AIDAX", 5)

    assert json.loads(respond(event, lambda: scene.wired)["body"])["at"] == {"@": 5}


def test_settings_are_read() -> None:
    """All of them."""
    assert ClientFrameSettings.read(ENVIRONMENT) == ClientFrameSettings(
        "c", "b", 86_400, 300, ("news", "game:*")
    )


def test_open_channels_may_be_none() -> None:
    """An empty text; one that is missing is a mistake."""
    none = ClientFrameSettings.read(ENVIRONMENT | {"OPEN_CHANNELS": ""})

    assert none.open_channels == ()


@pytest.mark.parametrize(
    "change",
    [
        {"REPLAY_SECONDS": "604801"},
        {"REPLAY_SECONDS": "-1"},
        {"REPLAY_FRAMES": "0"},
        {"REPLAY_FRAMES": "1001"},
        {"OPEN_CHANNELS": "a,b"},
        {"OPEN_CHANNELS": "@"},
        {"CONNECTIONS_TABLE": ""},
    ],
)
def test_settings_that_are_wrong_are_refused(change: dict[str, str]) -> None:
    """By their names."""
    with pytest.raises(SettingsError, match=next(iter(change))):
        ClientFrameSettings.read(ENVIRONMENT | change)


def test_client_is_answered_before_its_function_is_over() -> None:
    """Each request lasts its longest: TCP, TLS and the answer; the function has 10 s."""
    config: Any = CLIENT_CONFIG
    longest_seconds = 2 * config.connect_timeout + config.read_timeout

    assert config.retries["total_max_attempts"] == 1
    assert ANSWER_SECONDS + longest_seconds + TAKE_BACK_SECONDS + longest_seconds < 10
