"""The frame that a client receives."""

import json

import pytest

from broadcasting.audience import Audience
from broadcasting.errors import RejectedError
from broadcasting.frame import MAX_FRAME_BYTES, encode_frame
from broadcasting.message import Broadcast

EMPTY_BYTES = len(encode_frame(Broadcast("b", ""), 1, 1).encode())


def test_frame_carries_id_number_channel_message_and_time() -> None:
    """A frame is compact JSON, with text as it is."""
    frame = encode_frame(Broadcast("b", {"text": "\u20ac"}), 7, 3)

    assert json.loads(frame) == {
        "id": "b",
        "seq": 3,
        "channel": "*",
        "message": {"text": "\u20ac"},
        "sentAt": 7,
    }
    assert "\u20ac" in frame
    assert " " not in frame


@pytest.mark.parametrize(
    ("audience", "channel"),
    [
        (Audience(channel="news"), "news"),
        (Audience(user="alice"), "@"),
        (Audience(connections=("a=",), exclude=frozenset({"b="})), "!"),
    ],
)
def test_frame_names_the_channel_and_neither_user_nor_connections(
    audience: Audience, channel: str
) -> None:
    """A client's own stream is `@`: it need not know its user's name."""
    frame = json.loads(encode_frame(Broadcast("b", 1, audience=audience), 7, 3))

    assert frame == {"id": "b", "seq": 3, "channel": channel, "message": 1, "sentAt": 7}


@pytest.mark.parametrize("character", ["a", "\u20ac"])
def test_frame_is_encoded_when_exactly_at_the_limit(character: str) -> None:
    """127 KiB of UTF-8 is still delivered."""
    size = len(character.encode())
    count, rest = divmod(MAX_FRAME_BYTES - EMPTY_BYTES, size)

    frame = encode_frame(Broadcast("b", character * count + "a" * rest), 1, 1)

    assert len(frame.encode()) == 127 * 1024


def test_frame_is_rejected_when_one_byte_over_the_limit() -> None:
    """The reason says how large it is and how large it may be."""
    message = "a" * (MAX_FRAME_BYTES - EMPTY_BYTES + 1)

    with pytest.raises(RejectedError, match=r"130049 bytes, expected at most 130048"):
        encode_frame(Broadcast("b", message), 1, 1)


@pytest.mark.parametrize("message", ["\ud800", {"a": ["\udfff"]}, {"\ud800": 1}])
def test_frame_is_rejected_when_the_message_holds_a_lone_surrogate(message: object) -> None:
    """JSON lets it through, UTF-8 does not."""
    with pytest.raises(RejectedError, match="lone surrogate"):
        encode_frame(Broadcast("b", message), 1, 1)
