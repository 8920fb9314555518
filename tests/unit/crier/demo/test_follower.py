"""How a client of the demo follows a channel: in order, once, whatever overtakes what."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broadcasting.followed_channel import Gap
from broadcasting.position import Reason
from crier.demo.follower import Follower


def frame(number: int) -> dict[str, Any]:
    """Return a frame with a number."""
    return {"id": f"b{number}", "seq": number, "sentAt": number}


def position(start: int, end: int, *numbers: int, **others: Any) -> dict[str, Any]:
    """Return an answer about the numbers after `start`, up to `end`."""
    frames = [frame(one) for one in numbers]
    return {"epoch": "e", "seq": end, "from": start, "to": end, "frames": frames, **others}


def numbers(follower: Follower) -> list[int]:
    """Return the numbers of what was taken."""
    return [one.frame["seq"] for one in follower.taken]


def here(at: int) -> Follower:
    """Return a follower that came for the first time when the channel was at a number."""
    follower = Follower()
    follower.answered(position(at, at))
    return follower


def test_follower_takes_nothing_that_was_before_it_came() -> None:
    """What came live before the answer is looked at when the number is known."""
    follower = Follower()
    for number in (4, 6, 5):
        follower.come(frame(number))

    is_more = follower.answered(position(5, 5))

    assert (numbers(follower), is_more) == ([6], False)
    assert follower.since == {"seq": 6, "epoch": "e"}


def test_follower_takes_the_last_frames_that_it_asked_for() -> None:
    """They are in the first answer."""
    follower = Follower()

    follower.answered(position(3, 5, 4, 5))

    assert numbers(follower) == [4, 5]


def test_follower_puts_live_frames_in_order_and_drops_copies() -> None:
    """One that is ahead waits."""
    follower = here(1)
    for number in (3, 4, 3):
        follower.come(frame(number))
    waits = follower.has_gap

    for number in (2, 2, 1):
        follower.come(frame(number))

    assert (waits, follower.has_gap) == (True, False)
    assert (numbers(follower), follower.copies, follower.number) == ([2, 3, 4], 3, 4)


def test_follower_goes_on_over_what_was_not_meant_for_it() -> None:
    """An answer says that no frame will come of a number."""
    follower = here(1)
    follower.come(frame(4))

    follower.answered(position(1, 3, 2))

    assert (numbers(follower), follower.has_gap) == ([2, 4], False)
    assert [one.is_replayed for one in follower.taken] == [True, False]


def test_follower_keeps_what_an_answer_has_ahead_of_its_end() -> None:
    """It is taken like a live frame."""
    follower = here(1)

    follower.answered(position(1, 2, 2, 4))
    before = numbers(follower)
    follower.come(frame(3))

    assert (before, numbers(follower)) == ([2], [2, 3, 4])


def test_follower_asks_for_more_when_an_answer_says_so_or_leaves_a_hole() -> None:
    """An answer that begins further on proves nothing of what lies before."""
    follower = here(1)

    more = follower.answered(position(1, 2, 2, more=True))
    hole = follower.answered(position(4, 6, 5))
    old = follower.answered(position(0, 1))

    assert (more, hole, old) == (True, True, False)
    assert (numbers(follower), follower.number) == ([2], 2)


def test_follower_goes_on_from_the_end_of_what_is_lost() -> None:
    """Also in another epoch, whose numbers are lower."""
    follower = here(500)
    follower.come(frame(501))

    lost = {"from": 500, "to": 3, "reason": "epoch"}
    follower.answered(position(3, 3, lost=lost) | {"epoch": "f"})
    follower.come(frame(4))

    assert follower.lost == [Gap(501, 3, "epoch")]
    assert numbers(follower) == [501, 4]
    assert follower.since == {"seq": 4, "epoch": "f"}


@pytest.mark.parametrize("reason", [Reason.TOO_MANY, Reason.EXPIRED])
def test_follower_stays_where_it_is_when_an_answer_of_lost_frames_is_late(reason: Reason) -> None:
    """What came live meanwhile is not taken again."""
    follower = here(1)
    for number in (2, 3, 4):
        follower.come(frame(number))

    follower.answered(position(1, 3, lost={"from": 1, "to": 3, "reason": reason.value}))
    follower.come(frame(4))
    follower.come(frame(5))

    assert (numbers(follower), follower.copies) == ([2, 3, 4, 5], 1)


@given(st.data())
def test_follower_takes_all_in_order_once_whatever_overtakes_what(data: st.DataObject) -> None:
    """Live frames come in any order, some twice, some never; an answer has the others."""
    last = data.draw(st.integers(1, 12))
    meant = data.draw(st.sets(st.integers(1, last)))
    live = data.draw(st.lists(st.sampled_from(sorted(meant)), max_size=20)) if meant else []
    follower = here(0)

    cut = data.draw(st.integers(0, len(live)))
    for number in live[:cut]:
        follower.come(frame(number))
    start = data.draw(st.integers(0, follower.number))
    follower.answered(position(start, last, *(one for one in sorted(meant) if one > start)))
    for number in live[cut:]:
        follower.come(frame(number))

    assert numbers(follower) == sorted(meant)
    assert not follower.has_gap
