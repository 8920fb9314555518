"""The ledger's rows and what may become of them: pure values and transitions.

A broadcast is one summary and one or more slices. A slice is leased by one worker at a time, and
only its owner changes it: checkpoints, splits, releases or closes it. Every row carries a version
that its next state is written against, so that of two writers one loses and nothing is mixed.

    summary   open ── last slice closed ──> settled

    slice     free ── lease ──> leased ── close ──> closed
               ^                 │ ^ │
               └── release ──────┘ └─┴ checkpoint, split
               (a lease that has run out is as good as released; a slice that is released or
               split off with a rest is not free until the rest is over)

A slice that rests because of an outage, or whose message was given up, says so in its row. The
frame stands in a row of its own, which never changes.
"""

from dataclasses import dataclass, field, replace
from typing import NamedTuple

from broadcasting.backlog import Backlog
from broadcasting.receipt import Receipt

ROOT = "0"
"""The slice that every broadcast begins with."""

_REASON_CHARACTERS = 200


class LedgerError(Exception):
    """A transition that the ledger does not allow."""


class LeaseLostError(LedgerError):
    """The slice is not ours any more: a worker took it up after our lease had run out."""


class Outage(NamedTuple):
    """The rounds in a row that counted for no connection: how many, and since when.

    `since_ms` is in epoch milliseconds; both are 0 when the last round counted.
    """

    since_ms: int = 0
    rounds: int = 0


@dataclass(frozen=True, slots=True)
class Summary:
    """One broadcast. Times are in epoch milliseconds; `settled_ms` and `expires_ms` 0 for none.

    `frame` is for rows of an earlier release, which kept the frame here; it is empty in new ones.
    """

    id: str
    digest: str
    channel: str
    seq: int
    opened_ms: int
    expires_ms: int = 0
    counts: Receipt = field(default_factory=Receipt)
    open_slices: int = 1
    slices: int = 1
    settled_ms: int = 0
    version: int = 0
    frame: str = ""

    @property
    def is_settled(self) -> bool:
        """Whether every connection has ended."""
        return self.settled_ms > 0


@dataclass(frozen=True, slots=True)
class SliceRow:
    """A resumable piece of a broadcast.

    `hops` counts how often it was taken up since a connection ended in it; `unannounced` are
    slices that were split off and whose messages may not have been sent; `failed_rows` counts the
    rows of failed connections that it has written. `outage_since_ms` and `outage_rounds` are an
    Outage. `delivered_before` and `gone_before` are what the broadcast had reached when this slice
    was split off: the evidence for judging refusals. `given_up` says why its message is in the
    dead-letter queue; it is empty when it is not.
    """

    broadcast_id: str
    id: str
    work: Backlog
    counts: Receipt = field(default_factory=Receipt)
    owner: str = ""
    leased_until_ms: int = 0
    """Without an owner: until when it rests."""
    unannounced: tuple[str, ...] = ()
    failed_rows: int = 0
    hops: int = 0
    is_closed: bool = False
    version: int = 0
    outage_since_ms: int = 0
    outage_rounds: int = 0
    delivered_before: int = 0
    gone_before: int = 0
    given_up: str = ""

    @property
    def outage(self) -> Outage:
        """The rounds in a row that counted for no connection."""
        return Outage(self.outage_since_ms, self.outage_rounds)

    def is_free(self, now_ms: int) -> bool:
        """Whether it can be leased: no worker owns it, and it does not rest."""
        return not self.is_closed and self.leased_until_ms <= now_ms


def lease(
    slice_row: SliceRow, owner: str, *, now_ms: int, until_ms: int, anew: bool = False
) -> SliceRow:
    """Let a worker own a free slice for a while.

    With `anew`, as after a redrive, its hops and its outage begin anew.
    """
    if not slice_row.is_free(now_ms):
        raise LedgerError(
            f"slice {slice_row.id} of {slice_row.broadcast_id} is closed, leased or resting"
        )
    _require_exact(slice_row.counts, len(slice_row.work.connections))
    leased = replace(
        slice_row, owner=owner, leased_until_ms=until_ms, hops=slice_row.hops + 1, given_up=""
    )
    return replace(_in_outage(leased, Outage()), hops=1) if anew else leased


def checkpoint(slice_row: SliceRow, work: Backlog, counts: Receipt) -> SliceRow:
    """Remember how far the owner has come."""
    _require_exact(counts, len(work.connections))
    hops = slice_row.hops if counts.ended == slice_row.counts.ended else 1
    return replace(slice_row, work=work, counts=counts, hops=hops)


def split(
    summary: Summary,
    slice_row: SliceRow,
    kept: Backlog,
    counts: Receipt,
    parts: tuple[Backlog, ...],
    *,
    rests_until_ms: int = 0,
    outage: Outage = Outage(),  # noqa: B008 - immutable
) -> tuple[Summary, SliceRow, tuple[SliceRow, ...]]:
    """Remember how far the owner has come with what it keeps, and make slices of the parts.

    A part's connections have been counted as targeted by the owner; they take that along, and
    what the broadcast has reached so far. The parts are not free before they have rested, in an
    `outage` if that is why.
    """
    given = sum(len(part.connections) for part in parts)
    _require_exact(counts, len(kept.connections) + given)
    children = tuple(
        SliceRow(
            slice_row.broadcast_id,
            str(summary.slices + number),
            part,
            counts=Receipt(targeted=len(part.connections)),
            leased_until_ms=rests_until_ms,
            outage_since_ms=outage.since_ms,
            outage_rounds=outage.rounds,
            delivered_before=slice_row.delivered_before + counts.delivered,
            gone_before=slice_row.gone_before + counts.gone,
        )
        for number, part in enumerate(parts)
    )
    grown = replace(
        summary,
        open_slices=summary.open_slices + len(parts),
        slices=summary.slices + len(parts),
    )
    shrunk = replace(
        slice_row,
        work=kept,
        counts=replace(counts, targeted=counts.targeted - given),
        unannounced=(*slice_row.unannounced, *(child.id for child in children)),
    )
    return grown, shrunk, children


def announced(slice_row: SliceRow) -> SliceRow:
    """Remember that the messages of the slices that were split off have been sent."""
    return replace(slice_row, unannounced=())


def release(
    slice_row: SliceRow,
    *,
    rests_until_ms: int = 0,
    outage: Outage = Outage(),  # noqa: B008 - immutable
    given_up: str = "",
) -> SliceRow:
    """Let go of a slice that another worker shall go on with, once it has rested.

    Without an `outage` the round counted. `given_up` says why its message becomes a dead letter.
    """
    let_go = replace(
        slice_row, owner="", leased_until_ms=rests_until_ms, given_up=given_up[:_REASON_CHARACTERS]
    )
    return _in_outage(let_go, outage)


def close(summary: Summary, slice_row: SliceRow, *, now_ms: int) -> tuple[Summary, SliceRow]:
    """End a slice whose work is done, and add its sums to the broadcast's."""
    if not slice_row.work.is_empty or slice_row.unannounced or slice_row.is_closed:
        raise LedgerError(
            f"slice {slice_row.id} of {slice_row.broadcast_id} has not come to its end"
        )
    _require_exact(slice_row.counts, 0)
    left = summary.open_slices - 1
    if left < 0 or summary.is_settled:
        raise LedgerError(f"{summary.id} has {summary.open_slices} open slices, and one ends")
    summed = replace(
        summary,
        counts=summary.counts + slice_row.counts,
        open_slices=left,
        settled_ms=0 if left else now_ms,
    )
    return summed, replace(release(slice_row), is_closed=True)


def _in_outage(slice_row: SliceRow, outage: Outage) -> SliceRow:
    return replace(slice_row, outage_since_ms=outage.since_ms, outage_rounds=outage.rounds)


def _require_exact(counts: Receipt, pending: int) -> None:
    if counts.targeted != counts.ended + pending:
        raise LedgerError(
            f"the sums do not add up: {counts}, {pending} pending; expected targeted = delivered "
            "+ gone + failed + expired + pending"
        )
