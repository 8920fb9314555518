"""The shared bucket: what a reservation writes and grants, and that no one exceeds the bucket."""

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broadcasting.pacing.budget import Ask, Grant
from broadcasting.pacing.pace import Pace
from broadcasting.pacing.reservation import (
    HALVING_MS,
    KEPT_SHARE,
    ROW_WRITES_PER_SECOND,
    WINDOW_MS,
    Reservation,
    TatEstimate,
    TatUpdate,
)

ENOUGH = settings(max_examples=200, deadline=None)
PACE = Pace(posts_per_second=8_000.0, burst=4_000.0)
STEP_MS = 1000.0 / 8_000.0
LONG_BURST = (1 - KEPT_SHARE) * 4_000.0
NOW = 1_000_000.0


@dataclass
class Row:
    """The number, as the table holds it."""

    tat_ms: float | None = None
    writes: int = 0

    def reserve(
        self, ask: Ask, now_ms: float = NOW, estimate: TatEstimate | None = None, pace: Pace = PACE
    ) -> Grant:
        """Reserve as a worker does; no other worker writes meanwhile."""
        reservation = Reservation(ask, pace, now_ms=now_ms, estimate=estimate)
        while reservation.may_try:
            self.writes += 1
            changed = reservation.write.changed(self.tat_ms)
            if changed is not None:
                self.tat_ms = changed
                return reservation.granted(changed)[0]
            reservation.refused(self.tat_ms)
        raise AssertionError("refused by a row that no other worker changes")


def _big(most: int, uncharged: int = 0) -> Ask:
    return Ask(uncharged, most, is_small=False)


def _small(most: int, uncharged: int = 0) -> Ask:
    return Ask(uncharged, most, is_small=True)


def _queue(milliseconds: float) -> Row:
    """Return a row in which big broadcasts wait this time for their turn."""
    return Row(NOW + LONG_BURST * STEP_MS + milliseconds)


@pytest.mark.parametrize(
    ("tat_ms", "reset", "moved"),
    [
        (None, 7.0, None),
        (9.0, 7.0, None),
        (10.0, None, 17.0),
        (20.0, None, 27.0),
        (21.0, 7.0, None),
    ],
)
def test_write_changes_the_number_only_in_the_state_that_it_was_made_for(
    tat_ms: float | None, reset: float | None, moved: float | None
) -> None:
    """No number, one of the past, or an impossible one is reset; any other is moved ahead."""
    assert TatUpdate(7.0, 10.0, 20.0, is_reset=True).changed(tat_ms) == reset
    assert TatUpdate(7.0, 10.0, 20.0, is_reset=False).changed(tat_ms) == moved


def test_reservation_of_a_broadcast_that_fits_the_burst_is_one_write() -> None:
    """A full bucket grants it all at once."""
    row = Row()

    grant = row.reserve(_big(2_900, uncharged=100))

    assert (grant.posts, row.writes) == (3_000, 1)
    assert grant.opens_at_ms + 2_999 * grant.ms_per_post == pytest.approx(NOW)
    assert row.tat_ms == pytest.approx(NOW + 3_000 * STEP_MS)


def test_reservation_of_more_than_the_burst_takes_what_is_there() -> None:
    """The part that is kept for small broadcasts stays."""
    assert Row().reserve(_big(1_000_000)).posts == LONG_BURST


def test_reservation_spreads_what_is_not_there_yet_at_the_rate() -> None:
    """After the burst the first post may go one step later, each further one after a step."""
    grant = _queue(0.0).reserve(_big(400))

    assert grant.posts == 400
    assert grant.opens_at_ms == pytest.approx(NOW + STEP_MS)
    assert grant.ms_per_post == STEP_MS


@pytest.mark.parametrize("halvings", [0, 1, 3])
def test_reservation_is_the_smaller_the_longer_the_queue(halvings: int) -> None:
    """Every 35 ms halve it. All workers see one queue, so their shares are equal."""
    grant = _queue(halvings * HALVING_MS).reserve(_big(1_000_000))

    assert grant.posts == int(WINDOW_MS / STEP_MS / 2**halvings)


def test_reservation_is_never_so_small_that_the_row_is_written_too_often() -> None:
    """The rate, reserved in the smallest portions, makes ROW_WRITES_PER_SECOND writes."""
    grant = _queue(30_000.0).reserve(_big(1_000_000))

    assert grant.posts == PACE.posts_per_second / ROW_WRITES_PER_SECOND


def test_reservation_for_a_small_broadcast_is_whole_and_at_once_beside_a_big_one() -> None:
    """A part of the burst is kept for small broadcasts."""
    grant = _queue(0.0).reserve(_small(300))

    assert grant.posts == 300
    assert grant.opens_at_ms + 299 * grant.ms_per_post < NOW


def test_reservation_for_a_small_broadcast_that_has_become_big_has_no_privilege() -> None:
    """With its uncharged posts it exceeds the size of a small one: it opens in its turn."""
    grant = _queue(0.0).reserve(_small(400, uncharged=100))

    assert grant.posts == 500
    assert grant.opens_at_ms == pytest.approx(NOW + STEP_MS)


def test_reservation_charges_uncharged_posts_alone() -> None:
    """Nothing more is taken when nothing more is wanted."""
    row = Row()

    grant = row.reserve(_small(0, uncharged=7))

    assert grant.posts == 7
    assert row.tat_ms == pytest.approx(NOW + 7 * STEP_MS)


def test_reservation_by_an_estimate_that_holds_is_one_write() -> None:
    """A worker that has just found a queue expects to find it again."""
    row = _queue(30.0)
    estimate = TatEstimate(LONG_BURST * STEP_MS + 30.0, NOW - 100.0)

    row.reserve(_big(400), estimate=estimate)

    assert row.writes == 1


@pytest.mark.parametrize("seen_ms", [NOW, NOW - 5_000.0])
def test_reservation_by_an_estimate_that_is_wrong_finds_the_truth(seen_ms: float) -> None:
    """An estimate that is wrong or old costs a second write at most."""
    row = Row(NOW - 5_000.0)

    grant = row.reserve(_big(2_000), estimate=TatEstimate(600.0, seen_ms))

    assert grant.posts == 2_000
    assert row.writes <= 2


@pytest.mark.parametrize(
    ("later_ms", "known"), [(0.0, True), (1_000.0, True), (1_001.0, False), (-1.0, False)]
)
def test_estimate_is_forgotten_when_it_is_old_or_the_clock_was_set_back(
    later_ms: float, *, known: bool
) -> None:
    """After a clock was set back it is not known how old the estimate is."""
    ahead = TatEstimate(600.0, NOW).tat_ms(NOW + later_ms)

    assert ahead == (NOW + later_ms + 600.0 if known else None)


def test_reservation_does_not_reserve_much_on_top_of_what_others_took_meanwhile() -> None:
    """The number is far beyond its estimate, so the reservation is sized anew."""
    row = _queue(300.0)
    estimate = TatEstimate(LONG_BURST * STEP_MS, NOW)

    grant = row.reserve(_big(1_000_000), estimate=estimate)

    assert grant.posts == int(max(20, WINDOW_MS / STEP_MS * 0.5 ** (300 / HALVING_MS)))
    assert row.writes == 2


def test_reservation_takes_the_least_when_others_are_always_faster() -> None:
    """The last write accepts any number; it fails only when the bucket is full again."""
    reservation = Reservation(_big(1_000_000), PACE, now_ms=NOW, estimate=None)
    for found_ms in (NOW + 400.0, NOW + 500.0):
        reservation.refused(found_ms)
    changed = reservation.write.changed(NOW + 9_000.0)

    assert reservation.may_try
    assert changed == pytest.approx(NOW + 9_000.0 + 20 * STEP_MS)
    reservation.refused(None)
    assert not reservation.may_try


@pytest.mark.parametrize("tat_ms", [NOW + 600_000.0, -5.0])
def test_reservation_resets_an_impossible_number(tat_ms: float) -> None:
    """One clock that is wrong by minutes must not stop all workers for minutes."""
    row = Row(tat_ms)

    grant = row.reserve(_big(100))

    assert grant.opens_at_ms < NOW
    assert row.tat_ms == pytest.approx(NOW + 100 * STEP_MS)


@ENOUGH
@given(
    rate=st.floats(10, 20_000),
    burst=st.floats(1, 500),
    asks=st.lists(
        st.tuples(st.floats(0, 200), st.integers(0, 30), st.integers(0, 200), st.booleans()).filter(
            lambda ask: ask[1] + ask[2] > 0
        ),
        max_size=25,
    ),
)
def test_reservations_never_grant_more_than_rate_and_burst(
    rate: float, burst: float, asks: list[tuple[float, int, int, bool]]
) -> None:
    """In any stretch of time no more posts open than the bucket allows, for any asks."""
    row, now, pace = Row(), NOW, Pace(rate, burst)
    opened: list[float] = []
    for milliseconds, uncharged, most, is_small in asks:
        now += milliseconds
        grant = row.reserve(Ask(0, uncharged + most, is_small=is_small), now, pace=pace)
        opened += [
            max(now, grant.opens_at_ms + place * grant.ms_per_post) for place in range(grant.posts)
        ]

    opened.sort()
    level, filled_at = burst, NOW
    for at in opened:
        level = min(burst, level + (at - filled_at) * rate / 1000) - 1
        filled_at = at
        assert level >= -1e-3
