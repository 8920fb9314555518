"""What an answer of `@connections` means."""

import pytest

from broadcasting.connection import Connection, expires_at, shard_of
from broadcasting.outcome import Verdict, verdict_of


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (200, Verdict.DELIVERED),
        (400, Verdict.REFUSED),
        (413, Verdict.REFUSED),
        (403, Verdict.FORBIDDEN),
        (408, Verdict.LOST),
        (429, Verdict.THROTTLED),
        (500, Verdict.LOST),
        (599, Verdict.LOST),
        (600, Verdict.REFUSED),
    ],
)
@pytest.mark.parametrize("young", [True, False])
def test_verdict_follows_from_the_status(status: int, verdict: Verdict, *, young: bool) -> None:
    """Age changes nothing but a 410."""
    assert verdict_of(status, young=young) is verdict


def test_verdict_of_410_depends_on_age() -> None:
    """A young connection may not be open yet."""
    assert verdict_of(410, young=False) is Verdict.GONE
    assert verdict_of(410, young=True) is Verdict.YOUNG


def test_connection_is_young_for_a_minute() -> None:
    """A connection is old from exactly sixty seconds on."""
    connection = Connection("a", 1_000)

    assert connection.is_young(60_999)
    assert not connection.is_young(61_000)


def test_connection_is_old_when_it_is_from_the_future() -> None:
    """Clocks differ by ten seconds at most: beyond that a row would stay young for ever."""
    connection = Connection("a", 100_000)

    assert connection.is_young(90_000)
    assert not connection.is_young(89_999)


def test_row_expires_after_the_connection_is_cut() -> None:
    """Two hours and ten minutes, in seconds."""
    assert expires_at(5_999) == 5 + 7_200 + 600


def test_shard_of_an_id_is_stable() -> None:
    """Frozen: another shard would orphan the rows that are there."""
    assert [shard_of(name) for name in ("", "a", "abc=")] == [0, 3, 1]
