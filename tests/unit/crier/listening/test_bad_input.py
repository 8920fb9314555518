"""What no server of Crier sends, and times that jump: a word on it, no exception, no busy loop."""

import json
from typing import Any

import pytest

from crier.listening.effects import State
from tests.support.listening_scene import Scene, frame, position

NONSENSE: list[Any] = [
    *("", "no JSON", "[]", "null", b"\x00", "{" * 9_000, '{"seq":NaN}'),
    frame(1) | {"seq": 2**60},
    frame(1) | {"id": None},
    frame(1) | {"channel": ["*"]},
    {"type": "joined", "ref": "1", "channels": None},
    {"type": "replay", "ref": "1"},
    {"type": "pong", "ref": "1", "at": {"*": "many"}},
    {"type": "subscribed", "ref": "1", "channels": {"*": position() | {"epoch": 5}}},
]


@pytest.mark.parametrize("text", NONSENSE, ids=lambda text: str(text)[:24])
@pytest.mark.parametrize("is_joined", [False, True])
def test_nonsense_is_told_and_passed_over(text: Any, *, is_joined: bool) -> None:
    """The client goes on as it was."""
    scene = Scene()
    scene.start()
    scene.open()
    if is_joined:
        scene.answer()

    scene.text(text)
    state = scene.client.state
    if not is_joined:
        scene.answer()
    scene.text(frame(1))

    assert state is (State.CONNECTED if is_joined else State.CONNECTING)
    assert [(one.code, one.retry) for one in scene.troubles] == [("bad-text", False)]
    assert scene.taken() == [("*", 1)]


def test_nonsense_is_told_at_most_every_ten_seconds() -> None:
    """A server that sends nothing else would fill a log."""
    scene = Scene()
    scene.connect()
    codes = []
    for wait_ms in (0, 0, 9_999, 1, 0):
        scene.advance(wait_ms)
        scene.text("no JSON")
        codes.append(len(scene.codes))

    assert codes == [1, 1, 1, 2, 2]


@pytest.mark.parametrize(
    "text",
    [{}, {"type": "later"}, {"message": "Internal server error"}, {"type": ["seq"], "seq": 1}],
    ids=str,
)
def test_text_of_another_kind_is_passed_over_in_silence(text: Any) -> None:
    """A later release may send it."""
    scene = Scene()
    scene.connect()

    scene.text(text)

    assert (scene.codes, scene.taken(), len(scene.states)) == ([], [], 2)


def test_answer_without_a_channel_that_was_asked_about_is_none() -> None:
    """It is told, and the request is sent again."""
    scene = Scene("news")
    scene.start()
    scene.open()

    scene.text({"type": "joined", "ref": "1", "channels": {"*": position()}})
    scene.advance(10_000)

    assert [one.message for one in scene.troubles] == [
        "found nothing of ['news'], expected all channels"
    ]
    assert scene.actions == ["join", "join"]
    assert scene.client.state is State.CONNECTING


@pytest.mark.parametrize("kind", ["pong", "unsubscribed"])
def test_answer_of_another_kind_is_none(kind: str) -> None:
    """A join is not answered by a pong."""
    scene = Scene()
    scene.start()
    scene.open()

    scene.text({"type": kind, "ref": "1", "at": {}})

    assert scene.codes == ["bad-text"]
    assert scene.client.state is State.CONNECTING


def test_answer_may_have_channels_that_were_not_asked_about() -> None:
    """They are passed over."""
    scene = Scene()
    scene.start()
    scene.open()
    channels = {"*": position(), "news": position(5, start=4, frames=[frame(5, "news")])}

    scene.text({"type": "joined", "ref": "1", "channels": channels})

    assert scene.taken() == []
    assert scene.client.state is State.CONNECTED


def test_replay_of_another_channel_is_none() -> None:
    """The gap is asked for again."""
    scene = Scene("news")
    scene.connect()
    scene.text(frame(2))
    scene.advance(3_000)

    scene.text({"type": "replay", "ref": "2", "channel": "news", **position(2, start=0)})
    scene.advance(10_000)

    assert scene.codes == ["bad-text"]
    assert scene.actions == ["join", "replay", "replay"]


def test_answer_that_is_taken_may_be_nested_as_deep_as_messages_are() -> None:
    """64 levels, inside of an answer."""
    scene = Scene()
    deep: Any = json.loads("[" * 64 + "]" * 64)

    scene.connect(everyone=position(1, start=0, frames=[frame(1, message=deep)]))

    assert (scene.taken(), scene.codes) == ([("*", 1, "replayed")], [])


@pytest.mark.parametrize(
    "state", ["token", "handshake", "join", "connected", "renewing", "waiting"]
)
def test_time_may_jump_far_forward(state: str) -> None:
    """What is due is done once, and the client gets up again."""
    scene = Scene("news")
    scene.start()
    if state == "handshake":
        scene.give()
    elif state != "token":
        scene.open()
    if state in ("connected", "renewing", "waiting"):
        scene.answer(renew_in_ms=100_000)
    if state == "renewing":
        scene.advance(90_000)
        scene.open()
    if state == "waiting":
        scene.end()

    scene.jump(1e12)
    scene.jump(1e12)
    while scene.client.state is not State.CONNECTED:
        scene.retry()
        scene.open()
        scene.answer()

    assert len(scene.sent) < 10
    assert scene.client.wakes_at is not None
    assert scene.client.wakes_at > scene.now


def test_client_without_any_chance_of_a_pause_is_not_busy() -> None:
    """Where each random time is the shortest, a failing handshake takes its own time only."""
    scene = Scene()
    scene.jitter = 0
    scene.start()

    for _ in range(50):
        scene.give()
        scene.end(status=500)
        scene.advance(0)

    assert len(scene.asked) == 51
