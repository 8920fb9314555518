"""The rules of the ledger: what may become of its rows. Pure transitions, from rows to rows.

A broadcast is one summary and one or more slices. A slice is leased by one worker at a time, and
only its owner changes it: checkpoints, splits, releases or closes it. Every row carries a version
that its next state is written against, so that of two writers one loses and nothing is mixed.

    summary   ── open_broadcast ──> open ── last slice closed ──> settled

    slice     free ── lease ──> leased ── close ──> closed
               ^                 │ ^ │
               └── release ──────┘ └─┴ checkpoint, split
               (a slice is free, too, when its lease has run out; a slice that is released or
               split off with a delay is not free until the delay is over)

A slice that waits for the end of an outage, or whose message was given up, says so in its row. The
frame stands in a row of its own, which never changes. `ledger_opening` has `open_broadcast`.
"""

from dataclasses import replace
from enum import Enum, auto

from broadcasting.backlog import Backlog
from broadcasting.errors import GaveUpError
from broadcasting.ledger_rows import NO_OUTAGE, Outage, SliceRow, Summary
from broadcasting.receipt import Receipt

MAX_HOPS = 1_000
"""How often a slice may be taken up without any connection ending in it."""

CLOCK_SLACK_SECONDS = 3.0
"""By how much the clocks of two workers may differ before a slice's own message comes too soon."""

_REASON_CHARACTERS = 200


class LedgerError(Exception):
    """A transition that the ledger does not allow."""


class LeaseLostError(LedgerError):
    """The slice is not ours any more: a worker took it up after our lease had run out."""


class Refusal(Enum):
    """Why a slice is not leased."""

    CLOSED = auto()
    LEASED = auto()
    """Another worker owns it, or its delay is not over."""


def lease(
    slice_row: SliceRow, owner: str, *, now_ms: int, until_ms: int, anew: bool = False
) -> SliceRow | Refusal:
    """Let a worker own a free slice until `until_ms`; a slice of its own stays as it is.

    With `anew`, as after a redrive, the hops and the outage begin anew; else GaveUpError is raised
    when the slice was taken up MAX_HOPS times. Raises LedgerError when its sums do not add up.
    """
    if slice_row.owner == owner:
        return slice_row
    if slice_row.is_closed:
        return Refusal.CLOSED
    if slice_row.hops >= MAX_HOPS and not anew:
        raise GaveUpError(
            f"taken up {slice_row.hops} times without coming to an end; repair the cause, then "
            "`crier redrive` begins the count anew"
        )
    if not slice_row.is_free(now_ms):
        return Refusal.LEASED
    _require_exact(slice_row.counts, len(slice_row.backlog.connections))
    hops = slice_row.hops + 1
    leased = slice_row._replace(owner=owner, leased_until_ms=until_ms, hops=hops, given_up="")
    return _in_outage(leased, NO_OUTAGE)._replace(hops=1) if anew else leased


def checkpoint(slice_row: SliceRow, backlog: Backlog, counts: Receipt) -> SliceRow:
    """Remember how far the owner has come."""
    _require_exact(counts, len(backlog.connections))
    hops = slice_row.hops if counts.ended == slice_row.counts.ended else 1
    return slice_row._replace(backlog=backlog, counts=counts, hops=hops)


def split(
    summary: Summary,
    slice_row: SliceRow,
    kept: Backlog,
    counts: Receipt,
    parts: tuple[Backlog, ...],
    *,
    free_from_ms: int = 0,
    outage: Outage = NO_OUTAGE,
) -> tuple[Summary, SliceRow, tuple[SliceRow, ...]]:
    """Remember how far the owner has come with what it keeps, and make slices of the parts.

    The owner has counted the connections of the parts as targeted: each part takes its own along,
    and what the broadcast has reached until now. The parts are free from `free_from_ms` on, and
    wait until then for the end of an `outage` if there is one.
    """
    given = sum(len(part.connections) for part in parts)
    _require_exact(counts, len(kept.connections) + given)
    numbered = enumerate(parts, summary.slices)
    children = tuple(
        release(_child(slice_row, counts, number, part), free_from_ms=free_from_ms, outage=outage)
        for number, part in numbered
    )
    grown = summary._replace(
        open_slices=summary.open_slices + len(parts),
        slices=summary.slices + len(parts),
    )
    shrunk = slice_row._replace(
        backlog=kept,
        counts=replace(counts, targeted=counts.targeted - given),
        unannounced=(*slice_row.unannounced, *(child.id for child in children)),
    )
    return grown, shrunk, children


def _child(slice_row: SliceRow, counts: Receipt, number: int, part: Backlog) -> SliceRow:
    """Return a slice that is split off: it takes over what its part has and what was reached."""
    return SliceRow(
        slice_row.broadcast_id,
        str(number),
        part,
        counts=Receipt(targeted=len(part.connections)),
        delivered_before=slice_row.delivered_before + counts.delivered,
        gone_before=slice_row.gone_before + counts.gone,
    )


def announced(slice_row: SliceRow) -> SliceRow:
    """Remember that the messages of the slices that were split off have been sent."""
    return slice_row._replace(unannounced=())


def release(
    slice_row: SliceRow,
    *,
    free_from_ms: int = 0,
    outage: Outage = NO_OUTAGE,
    given_up: str = "",
) -> SliceRow:
    """Let go of a slice, which another worker takes up from `free_from_ms` on.

    Without an `outage` the round counted. `given_up` says why its message becomes a dead letter.
    """
    let_go = slice_row._replace(
        owner="", leased_until_ms=free_from_ms, given_up=given_up[:_REASON_CHARACTERS]
    )
    return _in_outage(let_go, outage)


def close(summary: Summary, slice_row: SliceRow, *, now_ms: int) -> tuple[Summary, SliceRow]:
    """End a slice whose backlog is empty, and add its sums to the broadcast's."""
    if not slice_row.backlog.is_empty or slice_row.unannounced or slice_row.is_closed:
        raise LedgerError(
            f"slice {slice_row.id} of {slice_row.broadcast_id} has not come to its end"
        )
    _require_exact(slice_row.counts, 0)
    open_slices = summary.open_slices - 1
    if open_slices < 0 or summary.is_settled:
        raise LedgerError(f"{summary.id} has {summary.open_slices} open slices, and one ends")
    summed = summary._replace(
        counts=summary.counts + slice_row.counts,
        open_slices=open_slices,
        settled_ms=0 if open_slices else now_ms,
    )
    return summed, release(slice_row)._replace(is_closed=True)


def free_from(now_ms: int, delay_seconds: float) -> int:
    """Return from when on a slice is free whose message comes after a delay; 0 for at once.

    It is free a little before its message comes, which another clock may have timed.
    """
    milliseconds = int((delay_seconds - CLOCK_SLACK_SECONDS) * 1000)
    return now_ms + milliseconds if milliseconds > 0 else 0


def _in_outage(slice_row: SliceRow, outage: Outage) -> SliceRow:
    return slice_row._replace(outage_since_ms=outage.since_ms, outage_rounds=outage.rounds)


def _require_exact(counts: Receipt, pending: int) -> None:
    if counts.targeted != counts.ended + pending:
        raise LedgerError(
            f"the sums do not add up: {counts}, {pending} pending; expected targeted = delivered "
            "+ gone + failed + expired + pending"
        )
