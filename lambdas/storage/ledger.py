"""The ledger: opens broadcasts, leases their slices, and keeps their account."""

import uuid
from collections.abc import Callable
from functools import partial

from broadcasting.backlog import Backlog
from broadcasting.clock import Clock, Jitter
from broadcasting.ledger import Outage, checkpoint, close, release, split
from broadcasting.receipt import Receipt
from storage.ledger_change import Change, Made
from storage.ledger_lease import MAX_HOPS, Lease, Leasing, Refusal
from storage.ledger_loop import WriteLoop
from storage.ledger_opening import NewBroadcast, Opener, Owner
from storage.ledger_rows import Failed
from storage.ledger_table import LedgerTable

__all__ = ["MAX_HOPS", "Failed", "Lease", "Ledger", "NewBroadcast", "Refusal"]

CLOCK_SLACK_SECONDS = 3.0
"""By how much the clocks of two workers may differ before a slice's own message comes too soon."""

_AT_ONCE = float("-inf")
"""The deadline of a write that is not tried again while the table is busy."""


class Ledger:
    """Reads and writes accounts; every write is made from what was read, or not at all.

    A method with a `deadline` (monotonic seconds) waits until then while DynamoDB is busy, and
    raises BusyError after it; LeaseLostError when the slice is not ours any more.
    """

    def __init__(self, table: LedgerTable, *, clock: Clock, jitter: Jitter) -> None:
        self._table = table
        self._clock = clock
        self._leasing = Leasing(table, clock)
        self._loop = WriteLoop(clock, jitter)

    def open(self, opening: NewBroadcast, *, until_ms: int, deadline: float) -> Lease | Refusal:
        """Open a broadcast and lease its first slice; one that is open goes on.

        A frame is made only for a broadcast that is new. Raises RejectedError when the id belongs
        to another broadcast.
        """
        owner = Owner(uuid.uuid4().hex, until_ms)
        opener = Opener(self._table, self._leasing, opening, owner)
        what = f"broadcast {opening.id} not opened"
        return self._loop.run(opener.attempt, what=what, deadline=deadline)

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
        owner = uuid.uuid4().hex

        def attempt() -> Lease | Refusal:
            summary, slice_row = self._leasing.read(broadcast_id, slice_id)
            return self._leasing.take(summary, slice_row, owner=owner, until_ms=until_ms, anew=anew)

        what = f"slice {slice_id} of {broadcast_id} not leased"
        return self._loop.run(attempt, what=what, deadline=deadline)

    def resume(
        self,
        broadcast_id: str,
        digest: str,
        *,
        until_ms: int,
        deadline: float = _AT_ONCE,
    ) -> Lease | Refusal | None:
        """Lease the first slice of a broadcast that was opened before, whatever is refused today.

        Returns None when the ledger knows no broadcast of that id and content.
        """
        owner = uuid.uuid4().hex

        def attempt() -> Lease | Refusal | None:
            summary = self._leasing.find(broadcast_id)
            if summary is None or summary.digest != digest:
                return None
            return self._leasing.take_root(summary, owner=owner, until_ms=until_ms)

        what = f"broadcast {broadcast_id} not leased"
        return self._loop.run(attempt, what=what, deadline=deadline)

    def backlog_of(self, broadcast_id: str, slice_id: str) -> Backlog:
        """Return what is still to do for a slice. Raises RejectedError for one that is unknown."""
        return self._leasing.find_slice(broadcast_id, slice_id).work

    def checkpoint(self, held: Lease, work: Backlog, counts: Receipt, failed: Failed) -> Lease:
        """Write down how far we have come, if that can be done at once.

        Raises LeaseLostError, and BusyError when DynamoDB is busy: the next write tells as much.
        """

        def make(held: Lease) -> Made:
            return Made(checkpoint(held.slice_row, work, counts))

        return self._change(held, failed, make, "written", deadline=_AT_ONCE)

    def release(
        self,
        held: Lease,
        work: Backlog,
        counts: Receipt,
        failed: Failed,
        *,
        deadline: float,
        rest_seconds: float = 0.0,
        outage: Outage = Outage(),  # noqa: B008 - immutable
        given_up: str = "",
    ) -> Lease:
        """Write down how far we have come, for the worker that goes on, after a rest if need be.

        A message that comes again meanwhile does not cut the rest short. Without an `outage` the
        round counted; `given_up` says why the slice's message becomes a dead letter.
        """
        let_go = partial(
            release,
            rests_until_ms=self._rests_until_ms(rest_seconds),
            outage=outage,
            given_up=given_up,
        )

        def make(held: Lease) -> Made:
            return Made(let_go(checkpoint(held.slice_row, work, counts)))

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
        rest_seconds: float = 0.0,
        outage: Outage = Outage(),  # noqa: B008 - immutable
    ) -> Lease:
        """Write down how far we have come, and make slices of parts, which rest if need be."""
        rests_until_ms = self._rests_until_ms(rest_seconds)

        def make(held: Lease) -> Made:
            summary, slice_row, children = split(
                held.summary,
                held.slice_row,
                kept,
                counts,
                parts,
                rests_until_ms=rests_until_ms,
                outage=outage,
            )
            return Made(slice_row, summary, children)

        return self._change(held, failed, make, "split", deadline=deadline)

    def close(self, held: Lease, counts: Receipt, failed: Failed, *, deadline: float) -> Lease:
        """End a slice whose work is done; the last one settles the broadcast.

        Raises LedgerError when the sums do not add up.
        """

        def make(held: Lease) -> Made:
            done = checkpoint(held.slice_row, Backlog(), counts)
            summary, slice_row = close(held.summary, done, now_ms=self._clock.epoch_ms())
            return Made(slice_row, summary)

        return self._change(held, failed, make, "closed", deadline=deadline)

    def _change(
        self,
        held: Lease,
        failed: Failed,
        make: Callable[[Lease], Made],
        verb: str,
        *,
        deadline: float,
    ) -> Lease:
        change = Change(self._table, self._leasing, held, failed, make)
        what = f"slice {held.slice_row.id} of {held.summary.id} not {verb}"
        return self._loop.run(change.attempt, what=what, deadline=deadline)

    def _rests_until_ms(self, rest_seconds: float) -> int:
        """Return the end of a rest; a little early, as its message may come by another clock."""
        milliseconds = int((rest_seconds - CLOCK_SLACK_SECONDS) * 1000)
        return self._clock.epoch_ms() + milliseconds if milliseconds > 0 else 0
