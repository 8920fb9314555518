"""What may become of a broadcast and its slices, and what may not."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broadcasting.backlog import ALL_SHARDS, Backlog, ShardCursor
from broadcasting.connection import Connection
from broadcasting.errors import GaveUpError
from broadcasting.ledger import (
    CLOCK_SLACK_SECONDS,
    MAX_HOPS,
    LeaseLostError,
    LedgerError,
    Refusal,
    announced,
    checkpoint,
    close,
    free_from,
    lease,
    release,
    split,
)
from broadcasting.ledger_rows import ROOT, Outage, SliceRow, Summary
from broadcasting.receipt import Receipt

NOW_MS = 1_000
SUMMARY = Summary("b", "digest", "*", 1, opened_ms=500)
FREE = SliceRow("b", ROOT, ALL_SHARDS)
LEASED = FREE._replace(owner="me", leased_until_ms=2_000, hops=1)
DONE = LEASED._replace(backlog=Backlog(), counts=Receipt(3, delivered=1, gone=1, failed=1))
CLOSED = DONE._replace(owner="", leased_until_ms=0, is_closed=True)
STRAGGLERS = tuple(Connection(name, 0, 1) for name in "ab")


def _leased(slice_row: SliceRow, owner: str, **options: Any) -> SliceRow:
    leased = lease(slice_row, owner, **options)
    assert isinstance(leased, SliceRow)
    return leased


def test_free_slice_is_leased() -> None:
    """By one owner, for a while; how often is counted."""
    assert lease(FREE, "me", now_ms=NOW_MS, until_ms=2_000) == LEASED


def test_slice_is_leased_when_the_lease_has_run_out() -> None:
    """To the millisecond: its owner has lost it then."""
    taken = _leased(LEASED, "you", now_ms=2_000, until_ms=3_000)

    assert (taken.owner, taken.leased_until_ms, taken.hops) == ("you", 3_000, 2)


@pytest.mark.parametrize(
    ("slice_row", "refusal"),
    [
        (LEASED, Refusal.LEASED),
        (LEASED._replace(leased_until_ms=NOW_MS + 1), Refusal.LEASED),
        (FREE._replace(leased_until_ms=NOW_MS + 1), Refusal.LEASED),
        (CLOSED, Refusal.CLOSED),
        (CLOSED._replace(hops=MAX_HOPS), Refusal.CLOSED),
    ],
)
def test_slice_is_not_leased_when_it_is_closed_or_another_workers(
    slice_row: SliceRow, refusal: Refusal
) -> None:
    """One owner at a time, none before a delay is over, and none after the end."""
    assert not slice_row.is_free(NOW_MS)
    assert lease(slice_row, "you", now_ms=NOW_MS, until_ms=2_000) is refusal


@pytest.mark.parametrize("now_ms", [NOW_MS, 2_000])
def test_slice_stays_its_owners_when_it_is_leased_again(now_ms: int) -> None:
    """The answer of the first write was lost: nothing is written again, no hop is counted."""
    assert lease(LEASED, "me", now_ms=now_ms, until_ms=3_000) == LEASED


@pytest.mark.parametrize("slice_row", [FREE, LEASED])
def test_slice_is_given_up_when_it_was_taken_up_too_often(slice_row: SliceRow) -> None:
    """Also while another worker owns it; a lease that begins anew is granted."""
    endless = slice_row._replace(hops=MAX_HOPS)

    with pytest.raises(
        GaveUpError, match=r"taken up 1000 times without coming to an end; .*redrive"
    ):
        lease(endless, "you", now_ms=NOW_MS, until_ms=2_000)
    again = lease(endless, "you", now_ms=2_000, until_ms=3_000, anew=True)
    last = lease(FREE._replace(hops=MAX_HOPS - 1), "you", now_ms=NOW_MS, until_ms=2_000)

    assert isinstance(again, SliceRow)
    assert isinstance(last, SliceRow)
    assert (again.hops, last.hops) == (1, MAX_HOPS)


def test_checkpoint_keeps_backlog_counts_and_lease() -> None:
    """A connection that is pending is targeted and has not ended."""
    backlog = Backlog((ShardCursor("all#3", "x"),), STRAGGLERS)

    slice_row = checkpoint(LEASED, backlog, Receipt(5, delivered=1, gone=1, failed=1))

    assert (slice_row.backlog, slice_row.counts.delivered) == (backlog, 1)
    assert (slice_row.owner, slice_row.leased_until_ms) == ("me", 2_000)


@pytest.mark.parametrize("counts", [Receipt(4, delivered=3), Receipt(6, delivered=3), Receipt(0)])
def test_checkpoint_is_refused_when_the_sums_do_not_add_up(counts: Receipt) -> None:
    """A wrong account is never written down."""
    with pytest.raises(LedgerError, match=r"the sums do not add up.*2 pending"):
        checkpoint(LEASED, Backlog(connections=STRAGGLERS), counts)


def test_split_makes_slices_that_are_counted_and_to_be_announced() -> None:
    """Ids go on where the broadcast's slices end; stragglers take their targeting along."""
    summary = SUMMARY._replace(slices=4, open_slices=2)
    kept = Backlog((ShardCursor("all#0", "x"),))
    parts = (Backlog((ShardCursor("all#1"),)), Backlog(connections=STRAGGLERS))
    slice_row = LEASED._replace(unannounced=("3",))

    grown, shrunk, children = split(summary, slice_row, kept, Receipt(5, delivered=3), parts)

    assert (grown.slices, grown.open_slices) == (6, 4)
    assert (shrunk.backlog, shrunk.counts) == (kept, Receipt(3, delivered=3))
    assert shrunk.unannounced == ("3", "4", "5")
    assert children == (
        SliceRow("b", "4", parts[0], delivered_before=3),
        SliceRow("b", "5", parts[1], Receipt(targeted=2), delivered_before=3),
    )
    assert all(child.is_free(NOW_MS) for child in children)


def test_split_is_refused_when_the_sums_do_not_add_up() -> None:
    """A connection that is given away is pending as well."""
    with pytest.raises(LedgerError, match="2 pending"):
        split(SUMMARY, LEASED, Backlog(), Receipt(3), (Backlog(connections=STRAGGLERS),))


def test_slice_whose_sums_do_not_add_up_is_not_leased() -> None:
    """It is refused before any connection is posted to."""
    with pytest.raises(LedgerError, match="the sums do not add up"):
        lease(FREE._replace(counts=Receipt(5)), "you", now_ms=NOW_MS, until_ms=3_000)


@pytest.mark.parametrize("wrong", [SUMMARY._replace(open_slices=0), SUMMARY._replace(settled_ms=5)])
def test_close_refuses_a_broadcast_that_has_no_open_slice(wrong: Summary) -> None:
    """Its summary is wrong: it would never settle, or twice."""
    with pytest.raises(LedgerError, match="open slices, and one ends"):
        close(wrong, DONE, now_ms=NOW_MS)


@pytest.mark.parametrize(("ended", "hops"), [(0, 7), (1, 1)])
def test_hops_are_counted_from_the_last_progress(ended: int, hops: int) -> None:
    """A broadcast may take long: only a slice in which no connection ends is given up."""
    backlog = Backlog(connections=STRAGGLERS[: 2 - ended])
    counts = Receipt(targeted=2, delivered=ended)

    assert checkpoint(LEASED._replace(hops=7), backlog, counts).hops == hops


def test_announced_slices_are_not_announced_again() -> None:
    """Their messages have been sent."""
    assert announced(LEASED._replace(unannounced=("1", "2"))) == LEASED


def test_released_slice_is_free() -> None:
    """It is free at once, whatever its lease was; its hops stay."""
    slice_row = release(LEASED)

    assert slice_row == FREE._replace(hops=1)
    assert slice_row.is_free(0)


OUTAGE = Outage(since_ms=400, rounds=3)
IN_OUTAGE = FREE._replace(outage_since_ms=400, outage_rounds=3, hops=7, given_up="403")


def test_release_keeps_the_outage_and_why_it_was_given_up() -> None:
    """For the worker that goes on, and for the operator; a reason may be long."""
    slice_row = release(LEASED, free_from_ms=9, outage=OUTAGE, given_up="x" * 300)

    assert (slice_row.outage, slice_row.leased_until_ms, slice_row.owner) == (OUTAGE, 9, "")
    assert slice_row.given_up == "x" * 200


def test_release_ends_the_outage_when_the_round_counted() -> None:
    """The next outage is another one."""
    slice_row = release(LEASED._replace(outage_since_ms=400, outage_rounds=3, given_up="403"))

    assert (slice_row.outage, slice_row.given_up) == (Outage(), "")


def test_close_ends_the_outage() -> None:
    """A closed slice waits for nothing."""
    _, slice_row = close(
        SUMMARY, DONE._replace(outage_since_ms=400, outage_rounds=3), now_ms=NOW_MS
    )

    assert slice_row == CLOSED


def test_lease_goes_on_with_an_outage_and_forgets_that_it_was_given_up() -> None:
    """The outage lasts until a round counts."""
    slice_row = _leased(IN_OUTAGE, "me", now_ms=NOW_MS, until_ms=2_000)

    assert (slice_row.outage, slice_row.given_up, slice_row.hops) == (OUTAGE, "", 8)


def test_lease_begins_hops_and_outage_anew_when_it_is_asked_to() -> None:
    """After a redrive: the cause has been repaired."""
    slice_row = _leased(IN_OUTAGE, "me", now_ms=NOW_MS, until_ms=2_000, anew=True)

    assert (slice_row.outage, slice_row.given_up, slice_row.hops) == (Outage(), "", 1)


def test_checkpoint_leaves_the_outage_as_it_is() -> None:
    """Only the end of a round tells whether it counted."""
    held = LEASED._replace(outage_since_ms=400, outage_rounds=3)

    assert checkpoint(held, Backlog(), Receipt(1, delivered=1)).outage == OUTAGE


def test_split_gives_the_outage_and_what_was_reached_to_the_parts() -> None:
    """They are judged by the same evidence as the slice that they come from."""
    slice_row = LEASED._replace(delivered_before=10, gone_before=20)

    _, shrunk, (child,) = split(
        SUMMARY,
        slice_row,
        Backlog(),
        Receipt(7, delivered=2, gone=3),
        (Backlog(connections=STRAGGLERS),),
        free_from_ms=5,
        outage=OUTAGE,
    )

    assert (child.outage, child.leased_until_ms) == (OUTAGE, 5)
    assert (child.delivered_before, child.gone_before) == (12, 23)
    assert (shrunk.outage, shrunk.delivered_before, shrunk.gone_before) == (Outage(), 10, 20)


def test_close_adds_the_sums_to_the_broadcast() -> None:
    """Another slice is open: the broadcast is, too."""
    before = SUMMARY._replace(open_slices=2, slices=2, counts=Receipt(7, delivered=7))

    summary, slice_row = close(before, DONE, now_ms=NOW_MS)

    assert slice_row == CLOSED
    assert (summary.open_slices, summary.slices) == (1, 2)
    assert summary.counts == Receipt(10, delivered=8, gone=1, failed=1)
    assert not summary.is_settled


def test_close_of_the_last_slice_settles() -> None:
    """With the time."""
    summary, _ = close(SUMMARY, DONE, now_ms=NOW_MS)

    assert (summary.is_settled, summary.settled_ms, summary.open_slices) == (True, NOW_MS, 0)


@pytest.mark.parametrize(
    "slice_row",
    [
        LEASED,
        CLOSED,
        DONE._replace(unannounced=("1",)),
        DONE._replace(backlog=Backlog(connections=STRAGGLERS)),
    ],
)
def test_close_is_refused_when_the_slice_has_not_come_to_its_end(slice_row: SliceRow) -> None:
    """Nor twice: the sums would be added again."""
    with pytest.raises(LedgerError, match="has not come to its end"):
        close(SUMMARY, slice_row, now_ms=NOW_MS)


def test_close_is_refused_when_the_sums_do_not_add_up() -> None:
    """A connection would be missing."""
    with pytest.raises(LedgerError, match="the sums do not add up"):
        close(SUMMARY, DONE._replace(counts=Receipt(4, delivered=3)), now_ms=NOW_MS)


def test_lost_lease_is_an_error_of_the_ledger() -> None:
    """Code that catches the ledger's errors catches this one as well."""
    assert issubclass(LeaseLostError, LedgerError)


@given(st.lists(st.integers(0, 3), max_size=5), st.integers(0, 9))
def test_split_and_close_keep_the_sums(given_away: list[int], delivered: int) -> None:
    """All slices together account for each connection once, however a slice is split."""
    parts = tuple(
        Backlog(connections=tuple(Connection(f"{part}-{n}", 0, 1) for n in range(size)))
        for part, size in enumerate(given_away)
    )
    met = delivered + sum(given_away)

    summary, slice_row, children = split(
        SUMMARY, LEASED, Backlog(), Receipt(met, delivered=delivered), parts
    )
    for one in (announced(slice_row), *children):
        ended = replace(one.counts, gone=len(one.backlog.connections))
        summary, _ = close(summary, checkpoint(one, Backlog(), ended), now_ms=NOW_MS)

    assert summary.is_settled
    assert summary.counts == Receipt(met, delivered=delivered, gone=sum(given_away))


@pytest.mark.parametrize(
    ("delay_seconds", "free_from_ms"),
    [(0, 0), (CLOCK_SLACK_SECONDS, 0), (10, NOW_MS + 7_000), (3.5, NOW_MS + 500)],
)
def test_slice_is_free_a_little_before_its_message_comes(
    delay_seconds: float, free_from_ms: int
) -> None:
    """Two clocks differ; a delay that is shorter than that is none."""
    assert free_from(NOW_MS, delay_seconds) == free_from_ms
