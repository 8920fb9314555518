"""Carries one slice of a broadcast as far as the time allows, and hands over the rest."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain

from broadcasting.audience import Connection
from broadcasting.clock import Clock
from broadcasting.outcome import Outcome, Settlement
from broadcasting.receipt import Receipt, Tally
from broadcasting.retry import MAX_ROUNDS, next_round_seconds
from broadcasting.slice import ShardCursor, Slice
from delivery.port import FanOut, ForbiddenError
from storage.audience_reader import AudienceReader
from storage.connections import ConnectionsTable
from storage.errors import ReadError
from storage.queues import SliceQueue
from storage.sweeper import StaleSweeper

STOPPED_DELAY_SECONDS = 30
"""How long a hand-over waits after something stopped the work: a refusal, or a failed read."""

SWEEP_SECONDS = 3.0
"""How long the deletes of stale rows are waited for, once everything else is done."""


@dataclass(frozen=True, slots=True)
class Carried:
    """What came of one slice: its account, and what stopped the work early, if anything did.

    `unread_shards` were handed over before their end was reached. `stale_rows_left` are rows of
    gone connections that are still there; the next broadcast meets them again.
    """

    receipt: Receipt
    unread_shards: int = 0
    stale_rows_left: int = 0
    stopped_by: ForbiddenError | ReadError | None = None

    @property
    def is_settled(self) -> bool:
        """Whether every connection of the slice has ended."""
        return not self.receipt.left and not self.unread_shards


class Worker:
    """Posts a slice's frame to its connections, and sees to it that none is forgotten."""

    def __init__(
        self, *, table: ConnectionsTable, fan_out: FanOut, slice_queue: SliceQueue, clock: Clock
    ) -> None:
        self._table = table
        self._fan_out = fan_out
        self._slice_queue = slice_queue
        self._clock = clock

    def carry(self, piece: Slice, deadline: float) -> Carried:
        """Deliver a slice until `deadline` (monotonic seconds), then hand over what is left.

        Raises what stopped the work, if it did so before any connection ended: the message can
        then go back to the queue without anyone hearing it twice. Raises StorageError when the
        rest cannot be handed over.
        """
        reader = AudienceReader(self._table, piece.shards, clock=self._clock, deadline=deadline)
        sweeper = StaleSweeper(self._table, jitter=self._clock.jitter)
        audience = _Audience(piece.connections, reader)
        tally, left = Tally(), list[Connection]()
        stopped_by: ForbiddenError | ReadError | None = None
        try:
            for settlement in self._fan_out.deliver(piece.frame, audience, deadline):
                self._account(end_round(settlement), tally, left, sweeper)
        except ForbiddenError as error:
            stopped_by = error
        finally:
            reader.close()
        left.extend(audience.rest)
        stopped_by = stopped_by or reader.error
        receipt = tally.receipt(targeted=reader.count + len(reader.rest), left=len(left))
        if stopped_by and not receipt.delivered + receipt.gone + receipt.failed:
            raise stopped_by
        self._hand_over(piece, reader.unread, left, STOPPED_DELAY_SECONDS if stopped_by else 0)
        stale_rows_left = sweeper.finish(SWEEP_SECONDS)
        return Carried(receipt, len(reader.unread), stale_rows_left, stopped_by)

    @staticmethod
    def _account(
        settlement: Settlement, tally: Tally, left: list[Connection], sweeper: StaleSweeper
    ) -> None:
        tally.count(settlement)
        if settlement.outcome is Outcome.GONE:
            sweeper.add(settlement.connection.id)
        elif settlement.outcome is Outcome.LEFT:
            left.append(settlement.connection)

    def _hand_over(
        self,
        piece: Slice,
        shards: tuple[ShardCursor, ...],
        left: Sequence[Connection],
        delay_seconds: int,
    ) -> None:
        """Send what was not reached at once, and what was tried in vain after a while."""
        untried = tuple(connection for connection in left if not connection.rounds)
        stragglers = tuple(connection for connection in left if connection.rounds)
        for rest in piece.hand_over(shards, untried):
            self._slice_queue.send(rest, delay_seconds=delay_seconds)
        if stragglers:
            wait_seconds = next_round_seconds(stragglers, self._clock.epoch_ms())
            for rest in piece.hand_over((), stragglers):
                self._slice_queue.send(rest, delay_seconds=max(delay_seconds, wait_seconds))


class _Audience:
    """A slice's own connections, then those that are read; `rest` is whom nobody has taken."""

    def __init__(self, connections: Sequence[Connection], reader: AudienceReader) -> None:
        self._named = iter(connections)
        self._reader = reader
        self._all = chain(self._named, reader)

    def __iter__(self) -> "_Audience":
        return self

    def __next__(self) -> Connection:
        return next(self._all)

    @property
    def rest(self) -> tuple[Connection, ...]:
        return (*self._named, *self._reader.rest)


def end_round(settlement: Settlement) -> Settlement:
    """Return a settlement with its round counted: who was tried in vain too often has failed."""
    if settlement.outcome is not Outcome.LEFT or not settlement.tries:
        return settlement
    connection = replace(settlement.connection, rounds=settlement.connection.rounds + 1)
    outcome = Outcome.FAILED if connection.rounds >= MAX_ROUNDS else Outcome.LEFT
    return replace(settlement, connection=connection, outcome=outcome)
