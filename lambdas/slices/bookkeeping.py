"""Writes down how far a slice has come: checkpoints, splits, its release, its end."""

import math
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from broadcasting.backlog import Backlog
from broadcasting.clock import Clock, Jitter
from broadcasting.ledger import announced
from broadcasting.ledger_rows import NO_OUTAGE, FailedConnection, Lease, Outage
from broadcasting.receipt import Receipt
from broadcasting.retry import Backoff
from slices.messages import SliceMessages
from slices.progress import SliceProgress
from storage.errors import BusyError, StorageError, WriteError
from storage.ledger import Ledger
from storage.queues import SliceQueue

RELEASE_SECONDS = 4.0
"""This much of an invocation's reserve a last write may take."""

_AGAIN = Backoff(base_seconds=0.05, cap_seconds=0.5)
"""When a write has failed the next one is tried after this pause, while posting goes on."""


class Bookkeeper:
    """Keeps the lease of a slice, and writes its account to the ledger. Times are monotonic.

    The reserve of the invocation begins at `reserve_at`: from then on nothing but the last write
    is waited for.
    """

    def __init__(
        self,
        held: Lease,
        progress: SliceProgress,
        *,
        ledger: Ledger,
        slice_queue: SliceQueue,
        clock: Clock,
        jitter: Jitter,
        reserve_at: float,
    ) -> None:
        self.held = held
        self.handed_over = 0
        self.given = 0
        """How many connections other slices count now."""
        self._before = held.slice_row.counts
        self._progress = progress
        self._messages = SliceMessages(
            held.summary.id, ledger=ledger, slice_queue=slice_queue, clock=clock
        )
        self._ledger = ledger
        self._clock = clock
        self._jitter = jitter
        self._reserve_at = reserve_at
        self._write_at = 0.0
        self._failures = 0

    @property
    def saved_counts(self) -> Receipt:
        """What this invocation has counted, as far as it was written down."""
        return self.held.slice_row.counts - self._before + Receipt(targeted=self.given)

    @property
    def seconds_to_live(self) -> float:
        """For how long the broadcast may still be posted, in seconds; for ever without a ttl."""
        expires_ms = self.held.summary.expires_ms
        return (expires_ms - self._clock.epoch_ms()) / 1000 if expires_ms else math.inf

    @property
    def has_failed(self) -> bool:
        """Whether the last write failed."""
        return self._failures > 0

    def is_write_due(self, now: float) -> bool:
        """Tell whether it is time to write again, after a write that failed."""
        return now >= self._write_at

    def checkpoint(self) -> None:
        """Write the account down, if that can be done now. Raises LeaseLostError."""
        self._try(partial(self._save, self._ledger.checkpoint))

    def give_away(self, *parts: Backlog, outage: Outage, delay_seconds: int = 0) -> None:
        """Make slices of parts of the backlog, and have them taken up.

        When they cannot be written now, they stay a part of this slice. Raises LeaseLostError.
        """
        self._try(partial(self._split, parts, outage, delay_seconds))

    def announce(self) -> None:
        """Send the messages of slices that were split off; again, if that is not certain.

        Raises StorageError.
        """
        self._messages.announce(self.held.slice_row.unannounced)
        self.held = self.held._replace(slice_row=announced(self.held.slice_row))

    def close(self) -> None:
        """End the slice, whose backlog is empty.

        When that cannot be written before the reserve begins, the slice is released with an
        empty backlog, a write to its own row alone: another invocation closes it, and posts to no
        connection again.
        """
        progress = self._progress
        try:
            self.held = self._ledger.close(
                self.held, progress.counts, progress.failed, deadline=self._reserve_at
            )
        except BusyError:
            self.release()
            if not self.held.slice_row.is_closed:  # else it was closed, and the answer was lost
                self.send(0)

    def release(
        self,
        *,
        delay_seconds: float = 0.0,
        outage: Outage = NO_OUTAGE,
        given_up: str = "",
    ) -> None:
        """Let go of the slice, for another invocation to go on with after `delay_seconds`."""
        deadline = max(self._reserve_at, self._clock.monotonic()) + RELEASE_SECONDS
        write = partial(
            self._ledger.release,
            deadline=deadline,
            delay_seconds=delay_seconds,
            outage=outage,
            given_up=given_up,
        )
        self._save(write)

    def send(self, delay_seconds: int) -> None:
        """Have the slice taken up again after a delay. Raises StorageError."""
        self._messages.send(self.held.slice_row.id, delay_seconds)

    def delay_seconds(self, backlog: Backlog) -> int:
        """Return the delay that a backlog needs: see `SliceMessages`."""
        return self._messages.delay_seconds(backlog)

    def _try(self, write: Callable[[], None]) -> None:
        """Write while posting goes on; what cannot be written is written with the next."""
        try:
            write()
        except WriteError:
            self._failures += 1
            seconds = _AGAIN.seconds(self._failures, self._jitter())
            self._write_at = self._clock.monotonic() + seconds
        else:
            self._failures = 0

    def _save(
        self, write: Callable[[Lease, Backlog, Receipt, tuple[FailedConnection, ...]], Lease]
    ) -> None:
        progress = self._progress
        self.held = write(self.held, progress.backlog, progress.counts, progress.failed)
        progress.saved()

    def _split(self, parts: tuple[Backlog, ...], outage: Outage, delay_seconds: int) -> None:
        progress = self._progress
        delay_seconds = max(delay_seconds, *map(self._messages.delay_seconds, parts))
        self.held = self._ledger.split(
            self.held,
            progress.without(parts),
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
        self._messages.note_split(self.held.slice_row.unannounced[-len(parts) :], delay_seconds)
        self.handed_over += len(parts)
        self.given += sum(len(part.connections) for part in parts)
        with suppress(StorageError):  # posting goes on; at its end they are announced again
            self.announce()
