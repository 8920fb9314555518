"""When a post, and a connection, is tried again."""

import pytest

from broadcasting.connection import Connection
from broadcasting.retry import Backoff, next_round_seconds
from testbed.model.fakes import NOW_MS, OLD_MS


@pytest.mark.parametrize(("tries", "longest"), [(1, 0.2), (2, 0.4), (3, 0.8), (5, 2.0), (50, 2.0)])
def test_backoff_doubles_up_to_its_cap(tries: int, longest: float) -> None:
    """Full jitter: anything from 0 to the doubled base."""
    backoff = Backoff()

    assert backoff.seconds(tries, 0.0) == 0.0
    assert backoff.seconds(tries, 1.0) == pytest.approx(longest)


@pytest.mark.parametrize(("rounds", "seconds"), [(1, 10), (2, 20), (3, 40), (20, 900)])
def test_next_round_waits_longer_after_each_round(rounds: int, seconds: int) -> None:
    """Doubles from ten seconds to the longest delay of SQS."""
    assert next_round_seconds([Connection("a", OLD_MS, rounds)], NOW_MS) == seconds


@pytest.mark.parametrize(("age_ms", "seconds"), [(0, 60), (1, 60), (30_000, 30), (55_000, 10)])
def test_next_round_waits_until_the_youngest_has_come_of_age(age_ms: int, seconds: int) -> None:
    """A 410 of the next round then tells the truth."""
    stragglers = [Connection("old", OLD_MS, 1), Connection("new", NOW_MS - age_ms, 1)]

    assert next_round_seconds(stragglers, NOW_MS) == seconds


@pytest.mark.parametrize(("ahead_ms", "seconds"), [(10_000, 60), (10_001, 10), (10**12, 10)])
def test_next_round_waits_no_longer_for_a_connection_from_the_future(
    ahead_ms: int, seconds: int
) -> None:
    """Within a clock difference it is new; beyond it, its time tells nothing."""
    stragglers = [Connection("old", OLD_MS, 1), Connection("ahead", NOW_MS + ahead_ms, 1)]

    assert next_round_seconds(stragglers, NOW_MS) == seconds


def test_next_round_waits_for_the_young_beside_a_connection_from_the_future() -> None:
    """A wrong time does not hide a right one."""
    stragglers = [Connection("new", NOW_MS - 20_000, 1), Connection("ahead", NOW_MS + 10**12, 1)]

    assert next_round_seconds(stragglers, NOW_MS) == 40
