"""One invocation's way through one slice: whom it met, how they ended, and what is left."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain

from broadcasting.audience import Connection
from broadcasting.backlog import Backlog
from broadcasting.ledger_rows import FailedConnection, SliceRow
from broadcasting.outcome import Outcome, Settlement, Verdict
from broadcasting.reasons import count_reasons, plain_reason
from broadcasting.receipt import Receipt, Tally
from broadcasting.retry import MAX_ROUNDS
from broadcasting.trouble import Pending
from storage.audience_reader import AudienceReader


class SliceProgress:
    """Iterates over a slice's connections, those it names and those it reads in turn.

    It keeps the slice's account: at any time `work` and `counts` tell what a crash would leave
    undone. A connection that has been taken and has not ended is still to do.
    """

    def __init__(self, slice_row: SliceRow, reader: AudienceReader) -> None:
        self.reader = reader
        self.unsaved = 0
        """How many have ended since the account was last written down."""
        self._named = deque(slice_row.backlog.connections)
        self._is_named_next = True
        self._tally = Tally(slice_row.counts)
        self._under_way: dict[int, Connection] = {}
        self._untried: list[Settlement] = []
        self._tried: list[Settlement] = []
        """Those that were tried in vain in this round, which is not judged yet."""
        self._stragglers: list[Settlement] = []
        self._failed: list[FailedConnection] = []

    def __iter__(self) -> "SliceProgress":
        """Return the progress itself."""
        return self

    def __next__(self) -> Connection:
        """Return the next connection to post to.

        Named ones may have been tried in vain before: those that were just read go in between, so
        that what the former hear can be told from what everyone hears.
        """
        is_named = self._named and (self._is_named_next or not self.reader.is_ready)
        self._is_named_next = not self._is_named_next
        if is_named:
            connection = self._named.popleft()
        else:
            connection = next(self.reader)
            self._tally.meet()
        self._under_way[id(connection)] = connection
        return connection

    def __length_hint__(self) -> int:
        """Return about how many are to come."""
        return len(self._named) + self.reader.to_come

    def settle(self, settlement: Settlement) -> None:
        """Take how one of them ended, or that it did not."""
        del self._under_way[id(settlement.connection)]
        self._tally.settle(settlement)
        self.unsaved += 1
        if settlement.outcome is Outcome.PENDING:
            (self._tried if settlement.tries else self._untried).append(settlement)
        elif settlement.outcome is Outcome.FAILED:
            self._failed.append(FailedConnection(settlement.connection.id, settlement.reason))

    @property
    def left(self) -> Pending:
        """Those that were tried in vain in this round, by what they heard last."""
        verdicts = [one.verdict for one in self._tried]
        return Pending(
            refused=verdicts.count(Verdict.FORBIDDEN),
            throttled=verdicts.count(Verdict.THROTTLED),
            lost=verdicts.count(Verdict.LOST),
        )

    @property
    def refused_again(self) -> int:
        """How many were refused whose earlier rounds counted: there was evidence for these."""
        return sum(
            one.verdict is Verdict.FORBIDDEN and one.connection.rounds > 0 for one in self._tried
        )

    @property
    def tried(self) -> int:
        """How many were tried in vain in this round, so far."""
        return len(self._tried)

    def end_round(self, *, counts: bool) -> None:
        """End the round of those that were tried in vain: they are stragglers from now on.

        If it counts, those that have had their last round have failed.
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
    def work(self) -> Backlog:
        """What is still to do; connections that were tried in vain come last."""
        return Backlog(self.reader.unread, tuple(self._pending()))

    @property
    def counts(self) -> Receipt:
        """The sums of the slice, those of earlier invocations included."""
        return self._tally.counts

    @property
    def stragglers(self) -> Sequence[Connection]:
        """The connections that were tried in vain, in a round that has ended."""
        return [one.connection for one in self._stragglers]

    @property
    def has_others(self) -> bool:
        """Whether there is anything to do but to try stragglers again."""
        return bool(self.reader.unread or self._named or self._under_way or self._untried)

    @property
    def failed(self) -> tuple[FailedConnection, ...]:
        """The connections that have failed since the account was last written down, and why."""
        return tuple(self._failed)

    @property
    def reasons(self) -> dict[str, int]:
        """Why connections that were taken have not ended, counted by reason."""
        left = chain(self._untried, self._tried, self._stragglers)
        return count_reasons(
            plain_reason(one.reason, one.connection.id) for one in left if one.reason
        )

    def without(self, parts: Sequence[Backlog]) -> Backlog:
        """Return what is still to do but for parts that are to be given away."""
        shards = {cursor.shard for part in parts for cursor in part.shards}
        given = {id(one) for part in parts for one in part.connections}
        work = self.work
        return Backlog(
            tuple(cursor for cursor in work.shards if cursor.shard not in shards),
            tuple(one for one in work.connections if id(one) not in given),
        )

    def give_away(self, part: Backlog) -> None:
        """Forget a part of the work: whole shards, or stragglers that another slice names."""
        self.reader.give_away(part.shards)
        given = {id(connection) for connection in part.connections}
        self._stragglers = [one for one in self._stragglers if id(one.connection) not in given]
        self._tally.forget(len(part.connections))

    def saved(self) -> None:
        """Note that the account has been written down."""
        self.unsaved = 0
        self._failed.clear()

    def expire(self) -> None:
        """Account for everyone that is left as not posted to any more."""
        for connection in self._pending():
            self._tally.settle(Settlement(connection, Outcome.EXPIRED))
        for pending in (self._named, self._under_way, self._untried, self._tried, self._stragglers):
            pending.clear()
        for connection in self.reader:
            self._tally.meet()
            self._tally.settle(Settlement(connection, Outcome.EXPIRED))

    def _pending(self) -> Iterator[Connection]:
        left = chain(self._untried, self._tried, self._stragglers)
        return chain(self._named, self._under_way.values(), (one.connection for one in left))


def end_round(settlement: Settlement) -> Settlement:
    """Return a settlement with its round counted: after the last round it has failed."""
    connection = replace(settlement.connection, rounds=settlement.connection.rounds + 1)
    outcome = Outcome.FAILED if connection.rounds >= MAX_ROUNDS else Outcome.PENDING
    return settlement._replace(connection=connection, outcome=outcome)
