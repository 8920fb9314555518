"""Monotonic time that goes on while the function is frozen."""

import pytest

from delivery.lasting_time import LastingTime
from testbed.model.fakes import FakeTime

DAY_SECONDS = 86_400.0


def _after(*steps: tuple[str, float]) -> float:
    """Return how much time lasting time has counted; it looks after each step."""
    fake = FakeTime(seconds=5.0)
    time = LastingTime(fake.clock)
    before = time.seconds()
    for step, seconds in steps:
        (fake.run if step == "run" else fake.freeze)(seconds)
        time.look()
    return time.seconds() - before


@pytest.mark.parametrize(
    ("steps", "seconds"),
    [
        ([("run", 60.0)], 60.0),
        ([("freeze", 3_600.0)], 3_600.0),
        ([("run", 1.0), ("freeze", 60.0), ("run", 2.0), ("freeze", 0.5)], 63.5),
        ([("run", 1.0), ("freeze", -3_600.0), ("run", 1.0)], 2.0),
        ([("freeze", -3_600.0), ("freeze", 60.0)], 60.0),
        ([("freeze", DAY_SECONDS), ("freeze", -DAY_SECONDS)], DAY_SECONDS),
        ([("freeze", 0.049)] * 20, 0.0),
    ],
)
def test_time_lasts_through_freezes(steps: list[tuple[str, float]], seconds: float) -> None:
    """An epoch clock that is set back counts for nothing, as do small differences."""
    assert _after(*steps) == pytest.approx(seconds)


def test_time_never_goes_back() -> None:
    """The epoch clock may go back and forth."""
    fake = FakeTime()
    time, seen = LastingTime(fake.clock), 0.0

    for seconds in (60.0, -7_200.0, 3_600.0, -0.5, DAY_SECONDS, -DAY_SECONDS):
        fake.freeze(seconds)
        time.look()

        assert time.seconds() >= seen
        seen = time.seconds()


def test_time_knows_of_a_freeze_once_it_has_looked() -> None:
    """It need not look in the middle of a broadcast, where no freeze happens."""
    fake = FakeTime()
    time = LastingTime(fake.clock)
    fake.freeze(60.0)
    before = time.seconds()
    time.look()

    assert (before, time.seconds(), time.frozen_seconds) == (0.0, 60.0, 60.0)
