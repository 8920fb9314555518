"""Carries a slice of a broadcast as far as the time allows, and forgets no connection."""

import math
from contextlib import closing, suppress
from dataclasses import dataclass, field

from broadcasting.backlog import Backlog
from broadcasting.clock import Clock
from broadcasting.ledger import LeaseLostError
from broadcasting.ledger_rows import Lease, Outage
from broadcasting.outcome import Outcome
from broadcasting.trouble import RecentAnswers, Trouble, outage_delay_seconds
from delivery.fan_out import FanOut, Watch
from slices.bookkeeping import Bookkeeper
from slices.progress import SliceProgress
from slices.report import InvocationReport
from slices.rounds import Round
from storage.audience_reader import AudienceReader
from storage.connections import ConnectionsTable
from storage.errors import ReadError, StorageError
from storage.ledger import Ledger
from storage.queues import SliceQueue
from storage.sweeper import StaleSweeper

STOPPED_DELAY_SECONDS = 30
"""How long a slice rests after a read that failed."""

SWEEP_SECONDS = 3.0
"""How long the deletes of stale rows are waited for, once everything else is done."""

SPREAD_AFTER_SECONDS = 1.0
"""How long a worker posts before it gives the shards that it has not begun to others, unless it
is the pace that holds it up."""

LATE_ANSWERS_SECONDS = 6.0
"""How long answers are waited for when the time to live is over: longer than any takes."""

MOST_STRAGGLERS = 2_000
"""How many connections one slice names at most, about: it must fit into a row of 400 KB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """Posts a broadcast's frame to the connections of a slice, and keeps its account.

    An outage is waited for `outage_seconds`, from the first round that counted for nobody.
    """

    table: ConnectionsTable
    fan_out: FanOut
    ledger: Ledger
    slice_queue: SliceQueue
    clock: Clock
    outage_seconds: int
    recent: RecentAnswers = field(default_factory=RecentAnswers)

    def deliver(self, held: Lease, deadline: float) -> InvocationReport:
        """Deliver a leased slice until `deadline` (monotonic seconds); close or release it.

        When the ledger or a queue cannot be reached, the answer has a `failure`: the message must
        then come again, and the slice goes on from its last checkpoint.
        """
        return _SliceDelivery(self, held, deadline).deliver()


class _SliceDelivery:
    """One call of `deliver`."""

    def __init__(self, worker: Worker, held: Lease, deadline: float) -> None:
        self._worker = worker
        self._deadline = deadline
        self._frame = held.frame
        self._before = held.slice_row.counts
        self._outage = held.slice_row.outage
        self._given_up = ""
        self._reasons: dict[str, int] = {}
        clock = worker.clock
        self._spread_at = clock.monotonic() + SPREAD_AFTER_SECONDS
        self._reader = AudienceReader(
            worker.table, held.slice_row.backlog.shards, clock=clock, deadline=deadline
        )
        self._progress = SliceProgress(held.slice_row, self._reader)
        self._books = Bookkeeper(
            held,
            self._progress,
            ledger=worker.ledger,
            slice_queue=worker.slice_queue,
            clock=clock,
            reserve_at=deadline,
        )
        self._round = Round(held, self._progress, recent=worker.recent, clock=clock)
        self._watch = Watch(breaker=self._round.breaker, tick=self._keep_up)
        self._sweeper = StaleSweeper(worker.table, jitter=clock.jitter)

    def deliver(self) -> InvocationReport:
        stopped_by: ReadError | LeaseLostError | None = None
        failure: Exception | None = None
        try:
            try:
                self._deliver()
                stopped_by = self._reader.error
                self._end()
            except LeaseLostError as error:
                stopped_by = error
            except Exception as error:  # noqa: BLE001 - what was saved is reported all the same
                failure = error
            self._sweeper.finish(SWEEP_SECONDS)
        finally:
            self._reader.close()
            self._sweeper.close()
        self._round.note_reached()
        return self._report(stopped_by, failure)

    def _deliver(self) -> None:
        with suppress(StorageError):  # what is not announced now is announced in the end
            self._books.announce()
        now = self._worker.clock.monotonic()
        dies_at = now + self._seconds_to_live()
        if dies_at > now and not self._progress.work.is_empty:
            self._watch.stop_at = dies_at
            self._post(min(self._deadline, dies_at + LATE_ANSWERS_SECONDS))
        if self._seconds_to_live() <= 0:
            self._progress.expire()

    def _post(self, until: float) -> None:
        deliver = self._worker.fan_out.deliver
        with closing(deliver(self._frame, self._progress, until, watch=self._watch)) as settled:
            for settlement in settled:
                self._progress.settle(settlement)
                if settlement.outcome is Outcome.GONE:
                    self._sweeper.add(settlement.connection.id)
                self._keep_up()
        breaker = self._watch.breaker
        if sum(breaker.answers) or not self._reader.error:  # else there was nothing to post
            breaker.end()

    def _seconds_to_live(self) -> float:
        expires_ms = self._books.held.summary.expires_ms
        if not expires_ms:
            return math.inf
        return (expires_ms - self._worker.clock.epoch_ms()) / 1000

    def _keep_up(self) -> None:
        """Give away what others can do, and write the account down, when it is time."""
        if self._books.is_write_due:
            self._write()
        self._watch.pause_at = self._books.look_at_unsaved()

    def _write(self) -> None:
        if self._books.has_failed and self._progress.unsaved:
            self._books.checkpoint()  # a write to the slice's own row alone is the likeliest
        elif self._is_spread_due():
            shards = (Backlog((cursor,)) for cursor in self._reader.not_begun)
            self._books.give_away(*shards, outage=Outage())
        elif self._are_stragglers_due():
            self._give_stragglers_away(self._round.end())
        elif self._books.is_checkpoint_due(
            is_beyond_first_pages=self._reader.is_beyond_first_pages
        ):
            self._books.checkpoint()

    def _is_spread_due(self) -> bool:
        """Tell whether others would make it faster: not while it is the pace that posts wait for.

        All workers share one pace, and each that waits for it is paid for.
        """
        if not self._reader.not_begun or self._worker.clock.monotonic() < self._spread_at:
            return False
        return self._watch.breaker.is_closed and not self._worker.fan_out.is_paced

    def _are_stragglers_due(self) -> bool:
        """Tell whether to make a slice of stragglers: not of all that is left, which can rest here.

        A slice that always became another would never be given up.
        """
        progress = self._progress
        is_full = progress.tried >= MOST_STRAGGLERS and progress.has_others
        return is_full or bool(progress.stragglers)

    def _give_stragglers_away(self, trouble: Trouble | None) -> None:
        """Make a slice of those that were tried in vain: they rest, while the others go on."""
        stragglers = Backlog(connections=tuple(self._progress.stragglers))
        if stragglers.is_empty:
            return
        outage = self._round.outage_after(trouble)
        rest = (
            outage_delay_seconds(outage.rounds)
            if trouble
            else self._round.long_rest_seconds(stragglers)
        )
        self._books.give_away(stragglers, outage=outage, rest_seconds=rest)

    def _end(self) -> None:
        """Close the slice, or release it and have it taken up again.

        Raises what stopped the reading, if that let no connection end: SQS then brings the message
        again, as often as the queue allows; likewise when slices cannot be announced.
        """
        books, progress = self._books, self._progress
        trouble = self._round.end()
        self._reasons = progress.reasons
        try:
            books.announce()
        except StorageError:
            books.release(outage=self._round.outage_after(trouble))
            raise
        if progress.work.is_empty:
            books.close()
            return
        if trouble and (self._round.is_in_vain or not progress.has_others):
            self._rest(trouble)
            return
        if progress.has_others and not self._reader.error:
            self._give_stragglers_away(trouble)  # they rest, the others go on
        self._go_on()

    def _rest(self, trouble: Trouble) -> None:
        """Have the slice rest, or give it up when the outage has been waited for long enough."""
        books, outage = self._books, self._round.outage_after(trouble)
        waited_seconds = (self._worker.clock.epoch_ms() - outage.since_ms) / 1000
        left_seconds = self._worker.outage_seconds - waited_seconds
        if left_seconds <= 0:
            given_up = f"{self._round.reason}; waited for {waited_seconds:.0f} s"
            books.release(outage=outage, given_up=given_up)
            self._given_up = given_up  # now that it is written: else another worker goes on
            return
        rest = min(
            outage_delay_seconds(outage.rounds), left_seconds, max(0.0, self._seconds_to_live())
        )
        delay_seconds = math.ceil(rest)
        books.release(rest_seconds=delay_seconds, outage=outage)
        books.send(delay_seconds)

    def _go_on(self) -> None:
        """Have the slice taken up again, as soon as its connections have rested."""
        books, work = self._books, self._progress.work
        error = self._reader.error
        if error and self._progress.counts.ended == self._before.ended:
            books.release(outage=self._outage)
            raise error
        delay_seconds = books.delay_seconds(work)
        if delay_seconds:
            delay_seconds = max(delay_seconds, self._round.long_rest_seconds(work))
        if error:
            delay_seconds = STOPPED_DELAY_SECONDS
        delay_seconds = math.ceil(min(delay_seconds, max(0.0, self._seconds_to_live())))
        books.release(rest_seconds=delay_seconds)
        books.send(delay_seconds)

    def _report(
        self, stopped_by: ReadError | LeaseLostError | None, failure: Exception | None
    ) -> InvocationReport:
        slice_row = self._books.held.slice_row
        return InvocationReport(
            summary=self._books.held.summary,
            slice_id=slice_row.id,
            counts=self._books.saved_counts,
            is_closed=slice_row.is_closed,
            pending=len(slice_row.backlog.connections),
            unread_shards=len(slice_row.backlog.shards),
            reasons=self._reasons,
            handed_over=self._books.handed_over,
            stale_rows_left=self._sweeper.left,
            trouble=self._round.trouble,
            trouble_reason=self._round.reason,
            given_up=self._given_up,
            stopped_by=stopped_by,
            failure=failure,
        )
