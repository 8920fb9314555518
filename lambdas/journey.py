"""One invocation's way through one slice: whom it met, how they ended, and what is left."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain

from broadcasting.audience import Connection
from broadcasting.counts import Counts, Tally
from broadcasting.ledger import SliceRow
from broadcasting.outcome import Outcome, Settlement
from broadcasting.retry import MAX_ROUNDS
from broadcasting.work import Work
from storage.audience_reader import AudienceReader


class Journey:
    """Iterates over a slice's connections, those it names first, and keeps its account.

    At any time `work` and `counts` tell what a crash would leave undone: whoever has been taken
    and has not ended is still to do.
    """

    def __init__(self, piece: SliceRow, reader: AudienceReader) -> None:
        self.reader = reader
        self.unsaved = 0
        """How many have ended since the account was last written down."""
        self._named = deque(piece.work.connections)
        self._tally = Tally(piece.counts)
        self._under_way: dict[int, Connection] = {}
        self._left: list[Connection] = []
        self._stragglers: list[Connection] = []
        self._failed: list[tuple[str, str]] = []

    def __iter__(self) -> "Journey":
        """Return the journey itself."""
        return self

    def __next__(self) -> Connection:
        """Return who is to be posted to next."""
        if self._named:
            connection = self._named.popleft()
        else:
            connection = next(self.reader)
            self._tally.meet()
        self._under_way[id(connection)] = connection
        return connection

    def __length_hint__(self) -> int:
        """Return about how many are to come."""
        return len(self._named) + self.reader.to_come

    def settle(self, settlement: Settlement) -> Settlement:
        """Take how one of them ended; return that, with its round counted."""
        del self._under_way[id(settlement.connection)]
        ended = end_round(settlement)
        self._tally.settle(ended)
        self.unsaved += 1
        if ended.outcome is Outcome.LEFT:
            (self._stragglers if ended.connection.rounds else self._left).append(ended.connection)
        elif ended.outcome is Outcome.FAILED:
            self._failed.append((ended.connection.id, ended.reason))
        return ended

    @property
    def work(self) -> Work:
        """What is still to do."""
        return Work(self.reader.unread, tuple(self._pending()))

    @property
    def counts(self) -> Counts:
        """The sums of the slice, those of earlier invocations included."""
        return self._tally.counts

    @property
    def stragglers(self) -> Sequence[Connection]:
        """Who has been tried in vain, for now."""
        return self._stragglers

    @property
    def has_others(self) -> bool:
        """Whether there is anything to do but to try stragglers again."""
        return bool(self.reader.unread or self._named or self._under_way or self._left)

    @property
    def failed(self) -> tuple[tuple[str, str], ...]:
        """Who has failed since the account was last written down, and why."""
        return tuple(self._failed)

    def give_away(self, part: Work) -> None:
        """Forget a part of the work: whole shards, or stragglers that somebody else tries."""
        self.reader.give_away(part.shards)
        given = {id(connection) for connection in part.connections}
        self._stragglers = [one for one in self._stragglers if id(one) not in given]
        self._tally.forget(len(part.connections))

    def saved(self) -> None:
        """Note that the account has been written down."""
        self.unsaved = 0
        self._failed.clear()

    def expire(self) -> None:
        """Account for everyone that is left as not posted to any more."""
        for connection in self._pending():
            self._tally.settle(Settlement(connection, Outcome.EXPIRED))
        for pending in (self._named, self._under_way, self._left, self._stragglers):
            pending.clear()
        for connection in self.reader:
            self._tally.meet()
            self._tally.settle(Settlement(connection, Outcome.EXPIRED))

    def _pending(self) -> Iterator[Connection]:
        return chain(self._named, self._under_way.values(), self._left, self._stragglers)


def end_round(settlement: Settlement) -> Settlement:
    """Return a settlement with its round counted: who was tried in vain too often has failed."""
    if settlement.outcome is not Outcome.LEFT or not settlement.tries:
        return settlement
    connection = replace(settlement.connection, rounds=settlement.connection.rounds + 1)
    outcome = Outcome.FAILED if connection.rounds >= MAX_ROUNDS else Outcome.LEFT
    return settlement._replace(connection=connection, outcome=outcome)
