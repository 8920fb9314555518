"""How a client follows a channel: in order, once, and told what is lost."""

import json
from typing import Any

import pytest

from broadcasting.followed_channel import (
    MOST_HELD_CHARACTERS,
    MOST_HELD_FRAMES,
    Event,
    FollowedChannel,
    Gap,
    Message,
    Recovered,
)
from crier.paths import ROOT

STEPS = json.loads((ROOT / "tests" / "cases" / "followed_channel.json").read_text())


def half() -> float:
    """Return the jitter of the cases."""
    return 0.5


def _written(events: list[Event]) -> list[Any]:
    """Return events as the cases have them."""
    return [_one(event) for event in events]


def _one(event: Event) -> Any:
    match event:
        case Message(frame, is_replayed):
            return {"message": frame["seq"], "replayed": is_replayed}
        case Gap(start, end, reason):
            return {"gap": [start, end, reason]}
        case Recovered(frames):
            return {"recovered": frames}


def _take(channel: FollowedChannel, step: dict[str, Any]) -> list[Event]:
    """Do a step of a case."""
    now_ms = step.get("now", 0)
    match step:
        case {"frame": frame}:
            return channel.frame(frame, now_ms)
        case {"answer": answer}:
            return channel.answer(answer, now_ms)
        case {"pong": newest}:
            channel.pong(newest, now_ms)
        case {"ask": question}:
            assert list(channel.ask()) == question
        case {"unanswered": _}:
            channel.unanswered(now_ms)
        case {"comeBack": since}:
            channel.come_back()
            assert channel.since == since
        case _:
            raise AssertionError(f"unknown step {step}")
    return []


@pytest.mark.parametrize("case", STEPS, ids=lambda case: case["name"])
def test_case(case: dict[str, Any]) -> None:
    """The client in JavaScript passes the same ones."""
    channel = FollowedChannel(half, is_ordered=case.get("ordered", True), first=case.get("first"))

    for step in case["steps"]:
        events = _take(channel, step)

        assert _written(events) == step.get("events", []), step
        assert channel.asks_at == step.get("asksAt"), step


def _frame(seq: int, text: str = "") -> dict[str, Any]:
    return {"id": f"b{seq}", "seq": seq, "sentAt": seq, "message": text}


def _answer(start: int, end: int) -> dict[str, Any]:
    frames = [_frame(seq) for seq in range(start + 1, end + 1)]
    return {"epoch": "e", "seq": end, "from": start, "to": end, "frames": frames}


def test_channel_without_room_asks_no_sooner_again() -> None:
    """However many frames come while what is missing is still under way."""
    channel = FollowedChannel(half)
    channel.answer(_answer(0, 0), 0)
    for seq in range(2, MOST_HELD_FRAMES + 3):
        channel.frame(_frame(seq), 0)
    channel.ask()
    channel.answer(_answer(0, 0), 10)
    channel.unanswered(10)

    channel.frame(_frame(MOST_HELD_FRAMES + 3), 20)

    assert channel.asks_at == 3_010


@pytest.mark.parametrize("is_ordered", [True, False])
def test_channel_holds_a_bounded_number_of_frames(*, is_ordered: bool) -> None:
    """What has no room is asked for at once, and given once."""
    channel = FollowedChannel(half, is_ordered=is_ordered)
    channel.answer(_answer(0, 0), 0)
    end = MOST_HELD_FRAMES + 3
    events = [event for seq in range(2, end + 1) for event in channel.frame(_frame(seq), seq)]
    asks_at = channel.asks_at
    channel.ask()

    events += channel.answer(_answer(0, end), 400)

    assert asks_at == MOST_HELD_FRAMES + 2  # when the first one found no room
    given = [event.frame["seq"] for event in events if isinstance(event, Message)]
    assert sorted(given) == list(range(1, end + 1))
    assert is_ordered == (given == sorted(given))


@pytest.mark.parametrize("character", ["x", "ü"])
def test_channel_holds_a_bounded_number_of_characters(character: str) -> None:
    """The frame that closes the gap always has room."""
    channel = FollowedChannel(half)
    channel.answer(_answer(0, 0), 0)
    large = character * (MOST_HELD_CHARACTERS // 3)
    for seq in (2, 3, 4):
        channel.frame(_frame(seq, large), seq)

    events = channel.frame(_frame(1, large), 5)

    assert [event.frame["seq"] for event in events if isinstance(event, Message)] == [1, 2, 3]
    assert channel.asks_at == 4


def test_channel_has_room_for_as_many_frames_as_it_says() -> None:
    """The next one is dropped, and asked for at once."""
    channel = FollowedChannel(half)
    channel.answer(_answer(0, 0), 0)
    for seq in range(2, MOST_HELD_FRAMES + 2):
        channel.frame(_frame(seq), 1)
    full = channel.asks_at

    channel.frame(_frame(MOST_HELD_FRAMES + 2), 2)

    assert (full, channel.asks_at) == (3_001, 2)


def test_room_of_frames_that_were_given_out_is_free_again() -> None:
    """However many have passed."""
    channel = FollowedChannel(half)
    channel.answer(_answer(0, 0), 0)
    large = "x" * (MOST_HELD_CHARACTERS // 2)

    for seq in range(1, 9, 2):
        channel.frame(_frame(seq + 1, large), seq)
        channel.frame(_frame(seq), seq)

    assert (channel.position, channel.asks_at) == (8, None)


def test_late_answer_of_what_is_lost_says_that_a_client_that_came_back_has_all() -> None:
    """All came live before the answer: nothing is lost, and the client is told that it is so."""
    channel = FollowedChannel(half)
    begin = {"epoch": "e", "from": 0, "to": 0, "frames": []}
    lost = {"from": 0, "to": 1, "reason": "too-many"}
    channel.answer(begin, 0)
    channel.come_back()
    live = channel.frame({"id": "a", "seq": 1, "sentAt": 1}, 0)

    late = channel.answer({**begin, "to": 1, "lost": lost}, 0)

    assert _written(live) == [{"message": 1, "replayed": False}]
    assert late == [Recovered(0)]
