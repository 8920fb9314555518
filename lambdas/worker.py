"""Carries a slice of a broadcast as far as the time allows, and forgets nobody."""

import math
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from broadcasting.clock import Clock
from broadcasting.counts import Counts
from broadcasting.ledger import LeaseLostError, Summary, announced
from broadcasting.outcome import Outcome
from broadcasting.retry import next_round_seconds
from broadcasting.work import Work
from delivery.port import FanOut, ForbiddenError
from delivery.run import LAST_ANSWERS_SECONDS
from journey import Journey
from storage.audience_reader import AudienceReader
from storage.connections import PAGE_ROWS, ConnectionsTable
from storage.errors import ReadError, StorageError
from storage.ledger import Failed, Lease, Ledger
from storage.queues import SliceQueue
from storage.sweeper import StaleSweeper

STOPPED_DELAY_SECONDS = 30
"""How long a slice rests after something stopped the work: a refusal, or a failed read."""

SWEEP_SECONDS = 3.0
"""How long the deletes of stale rows are waited for, once everything else is done."""

SPREAD_AFTER_SECONDS = 1.0
"""How long a worker posts before it gives the shards that it has not begun to others, unless it
is the pace that holds it up."""

CHECKPOINT_CONNECTIONS = PAGE_ROWS
"""How many may end before the account is written down: as many are repeated after a crash."""

CHECKPOINT_SECONDS = 1.0
"""After how long the account is written down all the same: a slow broadcast shows its progress,
and is not repeated whole after a crash."""

MOST_STRAGGLERS = 2_000
"""How many connections one slice names at most, about: it must fit into a row of 400 KB."""


class Carried(NamedTuple):
    """What one invocation did for a slice.

    `counts` are this invocation's alone: whom it met, and who ended in it. `summary` is the
    broadcast's as of the last write; `stopped_by` is what ended the work early, if anything did;
    `handed_over` counts the slices that were split off. `stale_rows_left` are rows of gone
    connections that are still there.
    """

    summary: Summary
    slice_id: str
    counts: Counts
    is_closed: bool
    left: int = 0
    unread_shards: int = 0
    handed_over: int = 0
    stale_rows_left: int = 0
    stopped_by: ForbiddenError | ReadError | LeaseLostError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """Posts a broadcast's frame to the connections of a slice, and keeps its account."""

    table: ConnectionsTable
    fan_out: FanOut
    ledger: Ledger
    slice_queue: SliceQueue
    clock: Clock

    def carry(self, held: Lease, deadline: float) -> Carried:
        """Deliver a leased slice until `deadline` (monotonic seconds); close or release it.

        Raises StorageError when the ledger or the queue cannot be reached: the message must
        then come again, and the slice goes on from its last checkpoint.
        """
        return _Carrying(self, held, deadline).carry()


class _Carrying:
    """One call of `carry`."""

    def __init__(self, worker: Worker, held: Lease, deadline: float) -> None:
        self._worker = worker
        self._held = held
        self._deadline = deadline
        self._before = held.piece.counts
        self._handed_over = 0
        self._given = 0
        self._delays: dict[str, int] = {}
        """How long the slices that were split off rest, in seconds, where that is known."""
        clock = worker.clock
        self._saved_at = clock.monotonic()
        self._spread_at = self._saved_at + SPREAD_AFTER_SECONDS
        self._reader = AudienceReader(
            worker.table, held.piece.work.shards, clock=clock, deadline=deadline
        )
        self._journey = Journey(held.piece, self._reader)
        self._sweeper = StaleSweeper(worker.table, jitter=clock.jitter)

    def carry(self) -> Carried:
        stopped_by: ForbiddenError | ReadError | LeaseLostError | None = None
        try:
            self._announce()
            self._deliver()
        except (ForbiddenError, LeaseLostError) as error:
            stopped_by = error
        finally:
            self._reader.close()
        stopped_by = stopped_by or self._reader.error
        if not isinstance(stopped_by, LeaseLostError):
            try:
                self._end(stopped_by)
            except LeaseLostError as error:
                stopped_by = error
        return self._carried(stopped_by)

    def _deliver(self) -> None:
        if not self._held.piece.work.is_done and self._seconds_to_live() > 0:
            until = min(self._deadline, self._worker.clock.monotonic() + self._seconds_to_live())
            frame = self._held.frame
            with closing(self._worker.fan_out.deliver(frame, self._journey, until)) as settled:
                for settlement in settled:
                    ended = self._journey.settle(settlement)
                    if ended.outcome is Outcome.GONE:
                        self._sweeper.add(ended.connection.id)
                    self._keep_up()
        if self._seconds_to_live() <= LAST_ANSWERS_SECONDS:  # nobody is posted to in these
            self._journey.expire()

    def _seconds_to_live(self) -> float:
        expires_ms = self._held.summary.expires_ms
        if not expires_ms:
            return math.inf
        return (expires_ms - self._worker.clock.epoch_ms()) / 1000

    def _keep_up(self) -> None:
        """Give away what others can do, and write the account down, when it is time."""
        if self._is_spread_due():
            self._give_away(*(Work((cursor,)) for cursor in self._reader.not_begun))
        elif len(self._journey.stragglers) >= MOST_STRAGGLERS:
            self._give_away(Work(connections=tuple(self._journey.stragglers)))
        elif self._is_checkpoint_due():
            self._save(self._worker.ledger.checkpoint)

    def _is_spread_due(self) -> bool:
        """Tell whether others would make it faster: not while it is the pace that posts wait for.

        All workers share one pace, and who waits for it is paid for.
        """
        if not self._reader.not_begun or self._worker.clock.monotonic() < self._spread_at:
            return False
        return not self._worker.fan_out.is_paced

    def _is_checkpoint_due(self) -> bool:
        """Whether a crash would repeat too much, or more have failed than are written at once.

        Called when somebody has ended. Within the first pages and the first second the account is
        not written down, so that a small broadcast is cheap.
        """
        if self._worker.clock.monotonic() - self._saved_at >= CHECKPOINT_SECONDS:
            return True
        if self._journey.unsaved < CHECKPOINT_CONNECTIONS:
            return False
        failed = len(self._journey.failed)
        return self._reader.is_beyond_first_pages or failed >= CHECKPOINT_CONNECTIONS

    def _save(self, write: Callable[[Lease, Work, Counts, Failed], Lease]) -> None:
        journey = self._journey
        self._held = write(self._held, journey.work, journey.counts, journey.failed)
        self._saved()

    def _saved(self) -> None:
        self._saved_at = self._worker.clock.monotonic()
        self._journey.saved()

    def _give_away(self, *parts: Work) -> None:
        """Make slices of parts of the work, and have them taken up."""
        journey = self._journey
        counts = journey.counts
        for part in parts:
            journey.give_away(part)
        delay_seconds = max(map(self._delay_seconds, parts))
        self._held = self._worker.ledger.split(
            self._held,
            journey.work,
            counts,
            journey.failed,
            parts,
            deadline=self._deadline,
            rest_seconds=delay_seconds,
        )
        self._saved()
        new = self._held.piece.unannounced[-len(parts) :]
        self._delays.update(dict.fromkeys(new, delay_seconds))
        self._handed_over += len(parts)
        self._given += sum(len(part.connections) for part in parts)
        with suppress(StorageError):  # posting goes on; at its end they are announced again
            self._announce()

    def _announce(self) -> None:
        """Send the messages of slices that were split off; again, if that is not certain."""
        ledger, queue = self._worker.ledger, self._worker.slice_queue
        broadcast_id = self._held.summary.id
        for slice_id in self._held.piece.unannounced:
            if slice_id not in self._delays:  # whoever split it off has died
                work = ledger.work_of(broadcast_id, slice_id)
                self._delays[slice_id] = self._delay_seconds(work)
            queue.send(broadcast_id, slice_id, delay_seconds=self._delays[slice_id])
        self._held = self._held._replace(piece=announced(self._held.piece))

    def _end(self, stopped_by: Exception | None) -> None:
        """Close the slice, or release it and have it taken up again.

        Raises what stopped the work, if that let nobody end: SQS then brings the message again,
        for as often as the queue allows; likewise when slices cannot be announced.
        """
        ledger, journey = self._worker.ledger, self._journey
        release = partial(ledger.release, deadline=self._deadline)
        try:
            self._announce()
        except StorageError:
            self._save(release)
            raise
        if journey.work.is_done:
            self._held = ledger.close(
                self._held, journey.counts, journey.failed, deadline=self._deadline
            )
            return
        if journey.stragglers and journey.has_others and not stopped_by:
            self._give_away(Work(connections=tuple(journey.stragglers)))  # they rest, others go on
        if stopped_by and journey.counts.ended == self._before.ended:
            self._save(release)
            raise stopped_by
        delay_seconds = STOPPED_DELAY_SECONDS if stopped_by else self._delay_seconds(journey.work)
        self._save(partial(release, rest_seconds=delay_seconds))
        self._worker.slice_queue.send(
            self._held.summary.id, self._held.piece.id, delay_seconds=delay_seconds
        )

    def _delay_seconds(self, work: Work) -> int:
        """Return how long a slice rests: not at all while somebody has not been tried yet."""
        if work.shards or not all(one.rounds for one in work.connections) or work.is_done:
            return 0
        return next_round_seconds(work.connections, self._worker.clock.epoch_ms())

    def _carried(self, stopped_by: ForbiddenError | ReadError | LeaseLostError | None) -> Carried:
        work = self._held.piece.work
        return Carried(
            summary=self._held.summary,
            slice_id=self._held.piece.id,
            counts=self._held.piece.counts - self._before + Counts(targeted=self._given),
            is_closed=self._held.piece.is_closed,
            left=len(work.connections),
            unread_shards=len(work.shards),
            handed_over=self._handed_over,
            stale_rows_left=self._sweeper.finish(SWEEP_SECONDS),
            stopped_by=stopped_by,
        )
