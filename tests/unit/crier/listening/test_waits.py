"""How long a client waits: its limits, and where chance takes it between them."""

import pytest

from crier.listening.waits import Waits


def _waits(jitter: float) -> Waits:
    return Waits(jitter=lambda: jitter)


@pytest.mark.parametrize(
    ("failures", "most_ms"),
    [(0, 2_000), (1, 4_000), (2, 8_000), (3, 16_000), (4, 32_000), (5, 60_000), (10**9, 60_000)],
)
def test_wait_before_a_connect_has_a_limit_that_doubles(failures: int, most_ms: float) -> None:
    """Up to a minute, and from nothing on."""
    assert _waits(1).before_connect(failures) == most_ms
    assert _waits(0.5).before_connect(failures) == most_ms / 2
    assert _waits(0).before_connect(failures) == 0


@pytest.mark.parametrize(
    ("refusals", "most_ms"), [(0, 4_000), (1, 8_000), (2, 16_000), (3, 16_000), (10**9, 16_000)]
)
def test_wait_after_throttling_has_a_limit_that_doubles(refusals: int, most_ms: float) -> None:
    """Up to sixteen seconds."""
    assert _waits(1).after_throttling(refusals) == most_ms
    assert _waits(0.5).after_throttling(refusals) == most_ms / 2


@pytest.mark.parametrize(
    ("after_ms", "refusals", "least_ms", "most_ms"),
    [
        (1_000, 0, 1_000, 2_000),
        (1_000, 1, 2_000, 4_000),
        (1_000, 5, 32_000, 60_000),
        (0, 0, 500, 1_000),
        (1, 1, 1_000, 2_000),
        (90_000, 0, 90_000, 90_000),
        (90_000, 10**9, 90_000, 90_000),
    ],
)
def test_wait_after_busy_is_what_the_server_wants_or_longer(
    after_ms: float, refusals: int, least_ms: float, most_ms: float
) -> None:
    """It doubles, up to a minute, unless the server wants more; it is never nothing."""
    assert _waits(0).after_busy(after_ms, refusals) == least_ms
    assert _waits(1).after_busy(after_ms, refusals) == most_ms


def test_renewal_comes_before_the_end() -> None:
    """Between 85 and 95 % of the time."""
    assert _waits(0).before_renewal(100_000) == 85_000
    assert _waits(1).before_renewal(100_000) == pytest.approx(95_000)
    assert _waits(0.5).before_renewal(100_000) == pytest.approx(90_000)


def test_renewal_is_never_at_once() -> None:
    """A connection that is to end in a moment would be renewed all the time."""
    assert _waits(0.5).before_renewal(1) == 500


def test_ping_comes_about_every_eight_minutes() -> None:
    """Give or take a tenth."""
    assert _waits(0).before_ping() == pytest.approx(432_000)
    assert _waits(1).before_ping() == pytest.approx(528_000)
    assert _waits(0.5).before_ping() == pytest.approx(480_000)
