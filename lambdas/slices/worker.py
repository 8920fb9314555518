"""Delivers a slice of a broadcast as far as the time allows, and forgets no connection."""

from contextlib import closing, suppress
from dataclasses import dataclass, field

from broadcasting.clock import Clock, Jitter
from broadcasting.ledger import LeaseLostError
from broadcasting.ledger_rows import Lease
from broadcasting.outcome import Outcome
from broadcasting.trouble import RecentAnswers
from delivery.fan_out import LONGEST_ANSWER_SECONDS, FanOut, Watch
from slices.bookkeeping import Bookkeeper
from slices.ending import SliceEnding
from slices.progress import SliceProgress
from slices.report import InvocationReport, Stop
from slices.rounds import Round
from slices.upkeep import Upkeep
from storage.audience_pages import AudiencePages
from storage.audience_reader import AudienceReader
from storage.connections import ConnectionsTable
from storage.errors import StorageError
from storage.ledger import Ledger
from storage.queues import SliceQueue
from storage.sweeper import StaleSweeper

SWEEP_SECONDS = 3.0
"""The deletes of stale rows are waited for this long, once everything else is done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """Posts a broadcast's frame to the connections of a slice, and keeps its account.

    An outage is waited for `outage_seconds`, from the first round that counted for no connection.
    """

    pages: AudiencePages
    table: ConnectionsTable
    fan_out: FanOut
    ledger: Ledger
    slice_queue: SliceQueue
    clock: Clock
    jitter: Jitter
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
        clock = worker.clock
        progress = SliceProgress(held.slice_row, _reader(worker, held, deadline))
        books = Bookkeeper(
            held,
            progress,
            ledger=worker.ledger,
            slice_queue=worker.slice_queue,
            clock=clock,
            jitter=worker.jitter,
            reserve_at=deadline,
        )
        self._progress = progress
        self._books = books
        self._round = Round(held, progress, recent=worker.recent, clock=clock)
        self._watch = Watch(breaker=self._round.breaker)
        upkeep = Upkeep(
            books,
            progress,
            self._round,
            watch=self._watch,
            fan_out=worker.fan_out,
            clock=clock,
        )
        self._keep_up = self._watch.tick = upkeep.keep_up
        self._ending = SliceEnding(
            books,
            progress,
            self._round,
            clock=clock,
            outage_seconds=worker.outage_seconds,
        )
        self._sweeper = StaleSweeper(
            worker.table, jitter=worker.jitter, stream=held.summary.channel
        )
        self._calmed_before = worker.fan_out.calmed
        self._has_posted = False

    def deliver(self) -> InvocationReport:
        stopped_by: Stop | None = None
        failure: Exception | None = None
        try:
            try:
                self._deliver()
                stopped_by = self._progress.read_error
                self._ending.end()
            except LeaseLostError as error:
                stopped_by = error
            except Exception as error:  # noqa: BLE001 - what was saved is reported all the same
                failure = error
            self._sweeper.finish(SWEEP_SECONDS)
        finally:
            self._progress.close()
            self._sweeper.close()
        self._round.note_reached()
        return self._report(stopped_by, failure)

    def _deliver(self) -> None:
        with suppress(StorageError):  # what is not announced now is announced in the end
            self._books.announce()
        now = self._worker.clock.monotonic()
        dies_at = now + self._books.seconds_to_live
        if dies_at > now and not self._progress.backlog.is_empty:
            self._watch.stop_at = dies_at
            self._post(min(self._deadline, dies_at + LONGEST_ANSWER_SECONDS))
        if self._books.seconds_to_live <= 0:
            self._progress.expire()

    def _post(self, until: float) -> None:
        self._has_posted = True
        deliver = self._worker.fan_out.deliver
        with closing(deliver(self._frame, self._progress, until, watch=self._watch)) as settled:
            for settlement in settled:
                self._progress.settle(settlement)
                if settlement.outcome is Outcome.GONE:
                    self._sweeper.add(settlement.connection.id)
                self._keep_up()
        breaker = self._watch.breaker
        if sum(breaker.answers) or not self._progress.read_error:  # else nothing was to be posted
            breaker.end()

    def _report(self, stopped_by: Stop | None, failure: Exception | None) -> InvocationReport:
        slice_row, fan_out = self._books.held.slice_row, self._worker.fan_out
        return InvocationReport(
            summary=self._books.held.summary,
            slice_id=slice_row.id,
            counts=self._books.saved_counts,
            is_closed=slice_row.is_closed,
            pending=len(slice_row.backlog.connections),
            unread_shards=len(slice_row.backlog.shards),
            reasons=self._ending.reasons,
            handed_over=self._books.handed_over,
            stale_rows_left=self._sweeper.stale_rows,
            trouble=self._round.trouble,
            trouble_reason=self._round.reason,
            given_up=self._ending.given_up,
            stopped_by=stopped_by,
            failure=failure,
            protocol=fan_out.protocol if self._has_posted else "",
            calmed=fan_out.calmed - self._calmed_before,
        )


def _reader(worker: Worker, held: Lease, deadline: float) -> AudienceReader:
    """Return what reads the audience of a slice."""
    return AudienceReader(
        worker.pages,
        held.slice_row.backlog.shards,
        clock=worker.clock,
        deadline=deadline,
        ids=held.connections,
        exclude=held.exclude,
    )
