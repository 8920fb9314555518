"""The texts that clients are answered with."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broadcasting.client_answer import (
    ANSWER_BYTES,
    encode_error,
    encode_joined,
    encode_pong,
    encode_replay,
    encode_subscribed,
    encode_unsubscribed,
    room_for_frames,
)
from broadcasting.client_refusal import Code, RefusedFrameError
from broadcasting.client_request import MOST_CHANNELS, MOST_NUMBER
from broadcasting.frame import MAX_FRAME_BYTES
from broadcasting.position import Lost, Position, Reason

FRAME = '{"id":"a","seq":42,"channel":"*","message":"é \\u2028 \\"","sentAt":1}'


def test_joined_has_each_position() -> None:
    """The frames are objects: their own text, not a string."""
    missed = Position(epoch="k3f", seq=43, start=41, end=42, frames=(FRAME,), more=True)
    fresh = Position(epoch="x", seq=0, start=0, end=0)

    text = encode_joined(
        "1", {"*": missed, "news": fresh}, connection_id="J=", renew_in_ms=7_000_000
    )

    assert FRAME in text
    assert json.loads(text) == {
        "type": "joined",
        "ref": "1",
        "connectionId": "J=",
        "renewInMs": 7_000_000,
        "channels": {
            "*": {
                "epoch": "k3f",
                "seq": 43,
                "from": 41,
                "to": 42,
                "frames": [json.loads(FRAME)],
                "more": True,
            },
            "news": {"epoch": "x", "seq": 0, "from": 0, "to": 0, "frames": []},
        },
    }


def test_replay_has_the_fields_of_its_position() -> None:
    """What is lost is told with its reason."""
    lost = Position(epoch="k", seq=9, start=12, end=9, lost=Lost(12, 9, Reason.EPOCH))

    assert json.loads(encode_replay("r", "news", lost)) == {
        "type": "replay",
        "ref": "r",
        "channel": "news",
        "epoch": "k",
        "seq": 9,
        "from": 12,
        "to": 9,
        "frames": [],
        "lost": {"from": 12, "to": 9, "reason": "epoch"},
    }


def test_answers_without_a_ref_have_none() -> None:
    """A client that calls its request nothing is answered without it."""
    busy = RefusedFrameError(Code.BUSY, "later", after_ms=1_500)

    texts = [
        encode_subscribed(None, {}),
        encode_unsubscribed(None, ["a"]),
        encode_pong(None, {"*": 41}),
        encode_error(busy),
    ]

    assert [json.loads(text) for text in texts] == [
        {"type": "subscribed", "channels": {}},
        {"type": "unsubscribed", "channels": ["a"]},
        {"type": "pong", "at": {"*": 41}},
        {"type": "error", "code": "busy", "message": "later", "retry": True, "afterMs": 1_500},
    ]


def test_error_that_is_for_good_says_so() -> None:
    """Without a time."""
    text = encode_error(RefusedFrameError(Code.GONE, "connect again", ref='a"b'))

    assert json.loads(text) == {
        "type": "error",
        "ref": 'a"b',
        "code": "gone",
        "message": "connect again",
        "retry": False,
    }


def test_any_frame_fits_into_a_replay() -> None:
    """With the longest name, ref, epoch and numbers."""
    frame = "x" * MAX_FRAME_BYTES
    position = Position(
        epoch="e" * 32,
        seq=MOST_NUMBER,
        start=MOST_NUMBER - 1,
        end=MOST_NUMBER,
        frames=(frame,),
        more=True,
    )

    text = encode_replay('"' * 64, "c" * 64, position)

    assert position.frames_bytes <= room_for_frames(["c" * 64])
    assert len(text.encode()) <= ANSWER_BYTES


@given(st.lists(st.tuples(st.text(max_size=40), st.booleans()), max_size=MOST_CHANNELS))
def test_answer_with_as_many_frames_as_there_is_room_fits(found: list[tuple[str, bool]]) -> None:
    """Whatever its channels are: an answer has 128 KiB at most."""
    names = [f"{'c' * 60}{number}" for number in range(len(found))]
    room = room_for_frames(names)
    positions: dict[str, Position] = {}
    for name, (text, is_filler) in zip(names, found, strict=True):
        size = max(0, min(room - 1, 30_000 if is_filler else len(text.encode())))
        frame = ("é" * (size // 2))[: size // 2]
        position = Position(
            epoch="e" * 32,
            seq=MOST_NUMBER,
            start=MOST_NUMBER,
            end=MOST_NUMBER,
            frames=(frame,) if room > 1 else (),
            more=True,
        )
        room -= position.frames_bytes
        positions[name] = position

    answer = encode_joined('"' * 64, positions, connection_id="i" * 128, renew_in_ms=10**13)

    assert room >= 0
    assert len(answer.encode()) <= ANSWER_BYTES


@pytest.mark.parametrize(
    "position",
    [
        {"start": 2, "end": 1},
        {"start": 1, "end": 1, "frames": ("{}",), "lost": Lost(1, 1, Reason.EXPIRED)},
        {"start": 1, "end": 1, "more": True, "lost": Lost(1, 1, Reason.EXPIRED)},
    ],
)
def test_position_that_cannot_be_is_refused(position: Any) -> None:
    """What is lost is not partly given, neither now nor with the next answer."""
    with pytest.raises(ValueError, match="expected"):
        Position(epoch="", seq=1, **position)
