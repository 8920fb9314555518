"""What a client tells of channels: each frame once, and only of what it follows."""

from typing import Any

import pytest

from crier.listening.client import Client
from crier.listening.waits import Waits
from tests.support.listening_scene import Scene, frame, position


def test_frames_before_the_join_is_answered_wait() -> None:
    """Those that were sent before the client came are dropped then."""
    scene = Scene("news")
    scene.start()
    scene.open()
    for seq in (7, 5, 6):
        scene.text(frame(seq, "news"))
    before = scene.taken()

    scene.answer(news=position(5))

    assert (before, scene.taken()) == ([], [("news", 6), ("news", 7)])


def test_client_follows_everyone_if_it_is_told_nothing_else() -> None:
    """And any number of refusals is tried again."""
    client = Client(Waits(jitter=lambda: 0.5))

    assert [name for name, _ in client.channels] == ["*"]


def test_frames_come_in_order_and_once() -> None:
    """In each channel by itself."""
    scene = Scene("news")
    scene.connect()

    for one in (frame(2), frame(1, "news"), frame(1), frame(1), frame(2)):
        scene.text(one)

    assert scene.taken() == [("news", 1), ("*", 1), ("*", 2)]


def test_frames_come_as_they_arrive_where_order_is_not_wanted() -> None:
    """And once all the same."""
    scene = Scene(is_ordered=False)
    scene.connect()

    for one in (frame(2), frame(1), frame(2)):
        scene.text(one)

    assert scene.taken() == [("*", 2), ("*", 1)]


def test_gap_wait_is_that_of_the_waits() -> None:
    """A client may wait shorter."""
    scene = Scene()
    scene.connect()
    scene.text(frame(2))

    assert scene.client.wakes_at == scene.now + 3_000


def test_frames_of_other_channels_are_dropped() -> None:
    """The server may send some for a moment after a client has left."""
    scene = Scene("news")
    scene.connect()

    scene.text(frame(1, "chat"))
    scene.text(frame(1, "__proto__"))

    assert scene.taken() == []


@pytest.mark.parametrize("channel", ["@", "!"])
def test_frames_without_a_position_are_told_once(channel: str) -> None:
    """Those to the own user, when it is not followed, and to listed connections: by their ids."""
    scene = Scene()
    scene.connect()

    for seq, id_ in ((5, "a"), (5, "b"), (3, "c"), (6, "a")):
        scene.text(frame(seq, channel, id_=id_))

    assert scene.taken() == [(channel, 5), (channel, 5), (channel, 3)]


def test_ids_of_the_two_kinds_are_told_apart() -> None:
    """And those of the last 256 are remembered."""
    scene = Scene()
    scene.connect()
    scene.text(frame(1, "@", id_="x"))
    scene.text(frame(1, "!", id_="x"))
    for seq in range(255):
        scene.text(frame(1, "!", id_=f"i{seq}"))
    scene.taken()

    scene.text(frame(1, "!", id_="x"))
    scene.text(frame(1, "!", id_="one more"))
    scene.text(frame(1, "!", id_="x"))

    assert scene.taken() == [("!", 1), ("!", 1)]


def test_own_channel_that_is_followed_has_a_position() -> None:
    """Its frames are ordered, and asked for."""
    scene = Scene("@")
    scene.connect(own=position(4))
    scene.text(frame(6, "@"))
    scene.text(frame(4, "@"))

    scene.text(frame(5, "@"))

    assert scene.taken() == [("@", 5), ("@", 6)]


def test_keep_alive_is_not_told() -> None:
    """It has a number all the same."""
    scene = Scene()
    scene.connect()

    scene.text(frame(1, message={"type": "keep-alive"}))
    scene.text(frame(2))

    assert scene.taken() == [("*", 2)]


@pytest.mark.parametrize(
    "message", [{"type": "keep-alive", "more": 1}, "keep-alive", {"type": "other"}, None, {}]
)
def test_message_that_is_like_a_keep_alive_is_told(message: Any) -> None:
    """Only the exact one is none."""
    scene = Scene()
    scene.connect()

    scene.text(frame(1, message=message))

    assert scene.taken() == [("*", 1)]
