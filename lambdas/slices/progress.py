"""One invocation's progress through a slice: connections taken, how they ended, what is to do."""

from collections import deque
from collections.abc import Iterator, Sequence
from itertools import chain

from broadcasting.backlog import Backlog, ShardCursor
from broadcasting.connection import Connection
from broadcasting.ledger_rows import FailedConnection, SliceRow
from broadcasting.outcome import Outcome, Settlement, Verdict
from broadcasting.receipt import Receipt, Tally
from broadcasting.trouble import Pending
from slices.settlements import end_round, pending_of, reasons_of
from storage.audience_reader import AudienceReader
from storage.errors import ReadError


class SliceProgress:
    """The audience of a slice: the connections that it names, and those that it reads, in turn.

    It owns the reader, and keeps the account of the slice: `backlog` and `counts` always tell what
    a crash would leave undone. A connection that has been taken and has not ended is still to do.
    """

    def __init__(self, slice_row: SliceRow, reader: AudienceReader) -> None:
        self._reader = reader
        self.unsaved = 0
        """How many connections have ended since the account was last written down."""
        self._named = deque(slice_row.backlog.connections)
        self._before = slice_row.counts
        self._tally = Tally(slice_row.counts)
        self._under_way: dict[int, Connection] = {}
        self._untried: list[Settlement] = []
        self._tried: list[Settlement] = []
        """The connections that were tried in vain in this round, which is not judged yet."""
        self._stragglers: list[Settlement] = []
        self._failed: list[FailedConnection] = []

    def __iter__(self) -> "SliceProgress":
        """Return the progress itself."""
        return self

    def __next__(self) -> Connection:
        """Return the next connection to post to: first the named ones, which are there at once."""
        if self._named:
            connection = self._named.popleft()
        else:
            connection = next(self._reader)
            self._tally.meet()
        self._under_way[id(connection)] = connection
        return connection

    @property
    def to_come(self) -> int:
        """About how many connections are still to be taken. Any thread may ask."""
        return len(self._named) + self._reader.to_come

    def settle(self, settlement: Settlement) -> None:
        """Take how a connection has ended, or that it is pending."""
        del self._under_way[id(settlement.connection)]
        self._tally.settle(settlement)
        self.unsaved += 1
        if settlement.outcome is Outcome.PENDING:
            (self._tried if settlement.tries else self._untried).append(settlement)
        elif settlement.outcome is Outcome.FAILED:
            self._failed.append(FailedConnection(settlement.connection.id, settlement.reason))

    @property
    def in_vain(self) -> Pending:
        """The connections that were tried in vain in this round, by their last answers."""
        return pending_of(self._tried)

    @property
    def refused_again(self) -> int:
        """How many refused connections have had a round that counted: there was evidence then."""
        return sum(
            one.verdict is Verdict.FORBIDDEN and one.connection.rounds > 0 for one in self._tried
        )

    @property
    def tried(self) -> int:
        """How many connections were tried in vain in this round, so far."""
        return len(self._tried)

    def end_round(self, *, counts: bool) -> None:
        """End the round of connections that were tried in vain: they are stragglers from now on.

        If the round counts, and it was the last one of a connection, that connection has failed.
        """
        for one in self._tried:
            ended = end_round(one) if counts else one
            if ended.outcome is Outcome.FAILED:
                self._tally.settle(ended._replace(throttles=0))
                self._failed.append(FailedConnection(ended.connection.id, ended.reason))
                self.unsaved += 1
            else:
                self._stragglers.append(ended)
        self._tried.clear()

    @property
    def backlog(self) -> Backlog:
        """What is still to do; connections that were tried in vain come last."""
        return Backlog(self._reader.unread, tuple(self._pending()))

    @property
    def counts(self) -> Receipt:
        """The sums of the slice, those of earlier invocations included."""
        return self._tally.counts + self._reader.passed_over

    @property
    def posted(self) -> Receipt:
        """What posts came to in this invocation: without connections that were passed over."""
        return self._tally.counts - self._before

    @property
    def has_stragglers(self) -> bool:
        """Whether there are connections that were tried in vain, in a round that has ended."""
        return bool(self._stragglers)

    @property
    def stragglers(self) -> Sequence[Connection]:
        """The connections that were tried in vain, in a round that has ended."""
        return [one.connection for one in self._stragglers]

    @property
    def has_others(self) -> bool:
        """Whether there is anything to do but to try stragglers again."""
        return bool(self._reader.unread or self._named or self._under_way or self._untried)

    @property
    def failed(self) -> tuple[FailedConnection, ...]:
        """The connections that have failed since the account was last written down, and why."""
        return tuple(self._failed)

    @property
    def reasons(self) -> dict[str, int]:
        """Why connections that were taken have not ended, counted by reason."""
        return reasons_of(chain(self._untried, self._tried, self._stragglers))

    def without(self, parts: Sequence[Backlog]) -> Backlog:
        """Return what is still to do but for parts that are to be given away."""
        shards = {cursor.partition for part in parts for cursor in part.shards}
        given = {id(one) for part in parts for one in part.connections}
        backlog = self.backlog
        return Backlog(
            tuple(cursor for cursor in backlog.shards if cursor.partition not in shards),
            tuple(one for one in backlog.connections if id(one) not in given),
        )

    def give_away(self, part: Backlog) -> None:
        """Forget a part of the backlog: whole shards, or stragglers that another slice names."""
        self._reader.give_away(part.shards)
        given = {id(connection) for connection in part.connections}
        self._stragglers = [one for one in self._stragglers if id(one.connection) not in given]
        self._tally.forget(len(part.connections))

    @property
    def spare(self) -> tuple[ShardCursor, ...]:
        """The shards that can be given away: all that was read of them has been taken."""
        return self._reader.spare

    @property
    def is_beyond_first_pages(self) -> bool:
        """Whether a second page of some shard has been begun."""
        return self._reader.is_beyond_first_pages

    @property
    def read_error(self) -> ReadError | None:
        """Why a shard could not be read to its end, if that is so."""
        return self._reader.error

    def close(self) -> None:
        """Read no more."""
        self._reader.close()

    def saved(self) -> None:
        """Note that the account has been written down."""
        self.unsaved = 0
        self._failed.clear()

    def expire(self) -> None:
        """End all connections of the slice as expired, those that are not read yet, too."""
        for connection in self._pending():
            self._tally.settle(Settlement(connection, Outcome.EXPIRED))
        for waiting in (self._named, self._under_way, self._untried, self._tried, self._stragglers):
            waiting.clear()
        for connection in self._reader:
            self._tally.meet()
            self._tally.settle(Settlement(connection, Outcome.EXPIRED))

    def _pending(self) -> Iterator[Connection]:
        tried = chain(self._untried, self._tried, self._stragglers)
        return chain(self._named, self._under_way.values(), (one.connection for one in tried))
