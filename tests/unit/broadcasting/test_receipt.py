"""The sums of an account."""

from dataclasses import astuple

from hypothesis import given
from hypothesis import strategies as st

from broadcasting.connection import Connection
from broadcasting.outcome import Outcome, Settlement
from broadcasting.receipt import Receipt, Tally
from tests.support.strategies import COUNTS

ONE = Connection("a", 0)


@given(COUNTS, COUNTS)
def test_counts_add_up_and_can_be_taken_apart(left: Receipt, right: Receipt) -> None:
    """Each sum by itself."""
    added = left + right

    assert astuple(added) == tuple(map(sum, zip(astuple(left), astuple(right), strict=True)))
    assert added - right == left


def test_counts_know_how_many_have_ended() -> None:
    """Every end counts; a throttled post is no end, and an excluded connection has none."""
    assert Receipt(100, 1, 2, 4, 8, throttled=50, excluded=9).ended == 15


def test_counts_know_which_part_of_the_answers_was_throttled() -> None:
    """The share is a guess; without an answer it is 0."""
    assert Receipt(100, 4, 3, 2, 8, throttled=3).throttled_share == 0.25
    assert Receipt(100).throttled_share == 0.0


@given(COUNTS, st.lists(st.sampled_from(Outcome)))
def test_tally_counts_each_settlement_once(before: Receipt, outcomes: list[Outcome]) -> None:
    """It adds to what was counted before; a connection that is pending has not ended."""
    tally = Tally(before)

    for outcome in outcomes:
        tally.meet()
        tally.settle(Settlement(ONE, outcome, tries=3, throttles=2))
    counts = tally.counts - before

    assert counts == Receipt(
        targeted=len(outcomes),
        delivered=outcomes.count(Outcome.DELIVERED),
        gone=outcomes.count(Outcome.GONE),
        failed=outcomes.count(Outcome.FAILED),
        expired=outcomes.count(Outcome.EXPIRED),
        throttled=2 * len(outcomes),
    )
    assert counts.targeted == counts.ended + outcomes.count(Outcome.PENDING)


def test_tally_forgets_whom_another_slice_accounts_for() -> None:
    """A connection that is given away is not targeted here any more."""
    tally = Tally(Receipt(targeted=5))

    tally.meet()
    tally.forget(2)

    assert tally.counts == Receipt(targeted=4)
