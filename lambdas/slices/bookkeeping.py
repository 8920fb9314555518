"""Writes down how far a slice has come: checkpoints, hand-overs, its end."""

import math
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from broadcasting.backlog import Backlog
from broadcasting.clock import Clock
from broadcasting.ledger import announced
from broadcasting.ledger_rows import FailedConnection, Lease, Outage
from broadcasting.receipt import Receipt
from broadcasting.retry import Backoff, next_round_seconds
from slices.progress import SliceProgress
from storage.connections import PAGE_ROWS
from storage.errors import BusyError, StorageError, WriteError
from storage.ledger import Ledger
from storage.queues import SliceQueue

CHECKPOINT_CONNECTIONS = PAGE_ROWS
"""How many may end before the account is written down: as many are repeated after a crash."""

UNSAVED_SECONDS = 1.0
"""How long posting goes on while the account of what has ended is not written down: this much is
repeated after a crash."""

CHECKPOINT_SECONDS = 0.75
"""After how long the account is written down: soon enough to be done before posting would pause."""

RELEASE_SECONDS = 4.0
"""How much of an invocation's reserve a last write may take."""

_AGAIN = Backoff(base_seconds=0.05, cap_seconds=0.5)
"""How long after a write that failed the next one is tried, while posting goes on."""


class Bookkeeper:
    """Keeps the lease of a slice, and writes its account to the ledger. Times are monotonic.

    `reserve_at` is when the reserve of the invocation begins: from then on nothing is waited for
    but the last write.
    """

    def __init__(
        self,
        held: Lease,
        progress: SliceProgress,
        *,
        ledger: Ledger,
        slice_queue: SliceQueue,
        clock: Clock,
        reserve_at: float,
    ) -> None:
        self.held = held
        self.handed_over = 0
        self.given = 0
        """How many connections other slices account for now."""
        self._before = held.slice_row.counts
        self._progress = progress
        self._ledger = ledger
        self._slice_queue = slice_queue
        self._clock = clock
        self._reserve_at = reserve_at
        self._write_at = 0.0
        self._failures = 0
        self._unsaved_since: float | None = None
        self._delays: dict[str, int] = {}
        """How long the slices that were split off rest, in seconds, where that is known."""

    @property
    def saved_counts(self) -> Receipt:
        """What this invocation has counted, as far as it was written down."""
        return self.held.slice_row.counts - self._before + Receipt(targeted=self.given)

    @property
    def has_failed(self) -> bool:
        """Whether the last write failed."""
        return self._failures > 0

    @property
    def is_write_due(self) -> bool:
        """Whether it is time to write again, after a write that failed."""
        return self._clock.monotonic() >= self._write_at

    def look_at_unsaved(self) -> float:
        """Return when posting is to pause, before more has ended than a crash may repeat."""
        if not self._progress.unsaved:
            self._unsaved_since = None
            return math.inf
        if self._unsaved_since is None:
            self._unsaved_since = self._clock.monotonic()
        return self._unsaved_since + UNSAVED_SECONDS

    def is_checkpoint_due(self, *, is_beyond_first_pages: bool) -> bool:
        """Whether a crash would repeat too much, or more have failed than are written at once.

        Within the first pages and the first second the account is not written down, so that a
        small broadcast is cheap.
        """
        since = self._unsaved_since
        if since is not None and self._clock.monotonic() - since >= CHECKPOINT_SECONDS:
            return True
        if self._progress.unsaved < CHECKPOINT_CONNECTIONS:
            return False
        return is_beyond_first_pages or len(self._progress.failed) >= CHECKPOINT_CONNECTIONS

    def checkpoint(self) -> None:
        """Write the account down, if that can be done now. Raises LeaseLostError."""
        self._try(partial(self._save, self._ledger.checkpoint))

    def give_away(self, *parts: Backlog, outage: Outage, rest_seconds: int = 0) -> None:
        """Make slices of parts of the work, and have them taken up.

        When they cannot be written now, they stay a part of this slice. Raises LeaseLostError.
        """
        self._try(partial(self._split, parts, outage, rest_seconds))

    def announce(self) -> None:
        """Send the messages of slices that were split off; again, if that is not certain."""
        broadcast_id = self.held.summary.id
        for slice_id in self.held.slice_row.unannounced:
            if slice_id not in self._delays:  # the worker that split it off has died
                work = self._ledger.backlog_of(broadcast_id, slice_id)
                self._delays[slice_id] = self.delay_seconds(work)
            self._slice_queue.send(broadcast_id, slice_id, delay_seconds=self._delays[slice_id])
        self.held = self.held._replace(slice_row=announced(self.held.slice_row))

    def close(self) -> None:
        """End the slice, whose work is done.

        When that cannot be written before the reserve begins, the slice is released with nothing
        left to do, a write to its own row alone: another invocation closes it, and posts to no
        connection again.
        """
        progress = self._progress
        try:
            self.held = self._ledger.close(
                self.held, progress.counts, progress.failed, deadline=self._reserve_at
            )
        except BusyError:
            self.release()
            if (
                not self.held.slice_row.is_closed
            ):  # else it was closed, and the answer had been lost
                self.send(0)

    def release(
        self,
        *,
        rest_seconds: float = 0.0,
        outage: Outage = Outage(),  # noqa: B008 - immutable
        given_up: str = "",
    ) -> None:
        """Let go of the slice, for another invocation to go on with once it has rested."""
        deadline = max(self._reserve_at, self._clock.monotonic()) + RELEASE_SECONDS
        write = partial(
            self._ledger.release,
            deadline=deadline,
            delay_seconds=rest_seconds,
            outage=outage,
            given_up=given_up,
        )
        self._save(write)

    def send(self, delay_seconds: int) -> None:
        """Have the slice taken up again after a delay. Raises StorageError."""
        held = self.held
        self._slice_queue.send(held.summary.id, held.slice_row.id, delay_seconds=delay_seconds)

    def delay_seconds(self, work: Backlog) -> int:
        """Return how long work rests: not at all while a connection of it was never tried."""
        if work.shards or not all(one.rounds for one in work.connections) or work.is_empty:
            return 0
        return next_round_seconds(work.connections, self._clock.epoch_ms())

    def _try(self, write: Callable[[], None]) -> None:
        """Write while posting goes on; what cannot be written is written with the next."""
        try:
            write()
        except WriteError:
            self._failures += 1
            seconds = _AGAIN.seconds(self._failures, self._clock.jitter())
            self._write_at = self._clock.monotonic() + seconds
        else:
            self._failures = 0

    def _save(
        self, write: Callable[[Lease, Backlog, Receipt, tuple[FailedConnection, ...]], Lease]
    ) -> None:
        progress = self._progress
        self.held = write(self.held, progress.work, progress.counts, progress.failed)
        progress.saved()

    def _split(self, parts: tuple[Backlog, ...], outage: Outage, rest_seconds: int) -> None:
        progress = self._progress
        delay_seconds = max(rest_seconds, *map(self.delay_seconds, parts))
        kept = progress.without(parts)
        self.held = self._ledger.split(
            self.held,
            kept,
            progress.counts,
            progress.failed,
            parts,
            deadline=self._clock.monotonic(),
            delay_seconds=delay_seconds,
            outage=outage,
        )
        for part in parts:
            progress.give_away(part)
        progress.saved()
        new = self.held.slice_row.unannounced[-len(parts) :]
        self._delays.update(dict.fromkeys(new, delay_seconds))
        self.handed_over += len(parts)
        self.given += sum(len(part.connections) for part in parts)
        with suppress(StorageError):  # posting goes on; at its end they are announced again
            self.announce()
