"""The ledger: opens broadcasts, leases their slices, and keeps their accounts.

Each method is a transition of `broadcasting.ledger` or `broadcasting.ledger_opening`, which the one
loop (`ledger_loop`) makes of the rows as they are, and writes. `ledger_owner` has those that end in
a lease, `ledger_change` those of a slice that is held.
"""

import uuid

from broadcasting.backlog import Backlog
from broadcasting.clock import Clock, Jitter
from broadcasting.ledger import Refusal, checkpoint, close, free_from, release, split
from broadcasting.ledger_opening import NewBroadcast
from broadcasting.ledger_rows import NO_OUTAGE, FailedConnection, Lease, Outage, SliceRow, Summary
from broadcasting.receipt import Receipt
from storage.kept_frames import KeptFrames
from storage.ledger_change import Changed, HeldChange, Transition
from storage.ledger_loop import Basis, Made, WriteLoop
from storage.ledger_opening import Opening
from storage.ledger_owner import Owner
from storage.ledger_table import LedgerTable
from storage.numbered_stream import NumberedStream
from storage.row_reader import RowReader
from storage.stream_counters import StreamCounters

_AT_ONCE = float("-inf")
"""The deadline of a write that is not tried again while the table is busy."""

Failed = tuple[FailedConnection, ...]
"""Connections that have failed since the account was last written down."""


class Ledger:
    """Reads and writes accounts; every write is made from what was read, or not at all.

    A method with a `deadline` (monotonic seconds) waits until then while DynamoDB is busy, and
    raises BusyError after it; LeaseLostError when the slice is not ours any more.
    """

    def __init__(
        self,
        table: LedgerTable,
        counters: StreamCounters,
        *,
        clock: Clock,
        jitter: Jitter,
        replay_seconds: int = 0,
    ) -> None:
        """Keep frames for `replay_seconds`; with 0, no longer than their broadcasts take."""
        self._clock = clock
        self._table = table
        self._counters = counters
        self._replay_seconds = replay_seconds
        self._reader = RowReader(table)
        self._frames = KeptFrames(table, replay_seconds)
        self._loop = WriteLoop(table, clock, jitter)

    def open(self, new: NewBroadcast, *, until_ms: int, deadline: float) -> Lease | Refusal:
        """Open a broadcast and lease its first slice; one that is open goes on.

        A frame is made only for a broadcast that is new. Raises RejectedError when the id belongs
        to another broadcast.
        """
        stream = NumberedStream(
            new.stream,
            self._table,
            self._counters,
            clock=self._clock,
            replay_seconds=self._replay_seconds,
        )
        opening = Opening(
            new,
            self._new_owner(until_ms),
            self._reader,
            stream,
            replay_seconds=self._replay_seconds,
            deadline=deadline,
        )
        held = self._loop.run(
            opening.make, what=f"broadcast {new.id} not opened", deadline=deadline
        )
        opening.finish(held)
        self._note_closed(new.id, held)
        return held

    def lease(
        self,
        broadcast_id: str,
        slice_id: str,
        *,
        until_ms: int,
        deadline: float = _AT_ONCE,
        anew: bool = False,
    ) -> Lease | Refusal:
        """Lease a slice, if it is free; with `anew`, as after a redrive, its hops begin anew.

        Raises RejectedError when the ledger does not know it, GaveUpError when it was taken up too
        often.
        """
        owner = self._new_owner(until_ms)

        def change(_: Basis) -> Made[Lease | Refusal]:
            return owner.take(*self._reader.both(broadcast_id, slice_id), anew=anew)

        what = f"slice {slice_id} of {broadcast_id} not leased"
        held = self._loop.run(change, what=what, deadline=deadline)
        self._note_closed(broadcast_id, held)
        return held

    def resume(
        self, broadcast_id: str, digest: str, *, until_ms: int, deadline: float = _AT_ONCE
    ) -> Lease | Refusal | None:
        """Lease the first slice of a broadcast that was opened before, whatever is refused today.

        Returns None when the ledger knows no broadcast of that id and content.
        """
        owner = self._new_owner(until_ms)

        def change(_: Basis) -> Made[Lease | Refusal | None]:
            summary = self._reader.find_summary(broadcast_id)
            if summary is None or summary.digest != digest:
                return Made(None)
            return owner.take_root(summary)

        what = f"broadcast {broadcast_id} not leased"
        return self._loop.run(change, what=what, deadline=deadline)

    def backlog_of(self, broadcast_id: str, slice_id: str) -> Backlog:
        """Return what is still to do for a slice. Raises RejectedError for one that is unknown."""
        return self._reader.slice_row(broadcast_id, slice_id).backlog

    def checkpoint(self, held: Lease, backlog: Backlog, counts: Receipt, failed: Failed) -> Lease:
        """Write down how far we have come, if that can be done at once.

        Raises LeaseLostError, and BusyError when DynamoDB is busy: the next write tells as much.
        """

        def make(_: Summary, slice_row: SliceRow) -> Changed:
            return Changed(checkpoint(slice_row, backlog, counts))

        return self._change(held, failed, make, "written", deadline=_AT_ONCE)

    def release(
        self,
        held: Lease,
        backlog: Backlog,
        counts: Receipt,
        failed: Failed,
        *,
        deadline: float,
        delay_seconds: float = 0.0,
        outage: Outage = NO_OUTAGE,
        given_up: str = "",
    ) -> Lease:
        """Write down how far we have come, for the worker that goes on after the delay.

        A message that comes again meanwhile does not cut the delay short. Without an `outage` the
        round counted; `given_up` says why the slice's message becomes a dead letter.
        """
        free_from_ms = free_from(self._clock.epoch_ms(), delay_seconds)

        def make(_: Summary, slice_row: SliceRow) -> Changed:
            done = checkpoint(slice_row, backlog, counts)
            return Changed(
                release(done, free_from_ms=free_from_ms, outage=outage, given_up=given_up)
            )

        return self._change(held, failed, make, "released", deadline=deadline)

    def split(
        self,
        held: Lease,
        kept: Backlog,
        counts: Receipt,
        failed: Failed,
        parts: tuple[Backlog, ...],
        *,
        deadline: float,
        delay_seconds: float = 0.0,
        outage: Outage = NO_OUTAGE,
    ) -> Lease:
        """Write down how far we have come, and make slices of parts, free after the delay."""
        free_from_ms = free_from(self._clock.epoch_ms(), delay_seconds)

        def make(summary: Summary, slice_row: SliceRow) -> Changed:
            grown, shrunk, children = split(
                summary,
                slice_row,
                kept,
                counts,
                parts,
                free_from_ms=free_from_ms,
                outage=outage,
            )
            return Changed(shrunk, grown, children)

        return self._change(held, failed, make, "split", deadline=deadline)

    def close(self, held: Lease, counts: Receipt, failed: Failed, *, deadline: float) -> Lease:
        """End a slice whose backlog is empty; the last one settles the broadcast.

        Raises LedgerError when the sums do not add up.
        """

        def make(summary: Summary, slice_row: SliceRow) -> Changed:
            done = checkpoint(slice_row, Backlog(), counts)
            summed, closed = close(summary, done, now_ms=self._clock.epoch_ms())
            return Changed(closed, summed)

        closed = self._change(held, failed, make, "closed", deadline=deadline)
        self._frames.forget(closed.summary)
        return closed

    def _note_closed(self, broadcast_id: str, held: Lease | Refusal) -> None:
        if held is Refusal.CLOSED:
            self._frames.forget_closed(broadcast_id, self._reader)

    def _new_owner(self, until_ms: int) -> Owner:
        return Owner(uuid.uuid4().hex, until_ms, self._reader, self._clock)

    def _change(
        self, held: Lease, failed: Failed, make: Transition, verb: str, *, deadline: float
    ) -> Lease:
        change = HeldChange(self._reader, held, failed, make)
        what = f"slice {held.slice_row.id} of {held.summary.id} not {verb}"
        return self._loop.run(change.make, what=what, deadline=deadline)
