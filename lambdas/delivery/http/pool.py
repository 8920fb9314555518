"""The HTTP connections of one thread, watched by one selector.

The pool knows no protocol and no broadcast: it gives requests to connections that have room, and
gives each caller's token back with what became of its request. The file has more than 200 lines
because all of it works on the same selector.
"""

import math
import selectors
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any, Generic, NamedTuple

from broadcasting.clock import Clock
from delivery.http.connection import (
    Ending,
    HttpConnection,
    MalformedAnswerError,
    NotProcessedError,
    Token,
)
from delivery.http.connector import Connector
from delivery.http.handshake import Handshake
from delivery.http.open_connections import OpenConnections
from delivery.http.openings import OPENING_AT_ONCE, Openings, watch
from delivery.http.request import Request
from delivery.http.waker import Waker


class Timeouts(NamedTuple):
    """How long opening a connection may take, how long an answer, and how long one may idle."""

    connect_seconds: float = 2.0
    read_seconds: float = 5.0
    idle_seconds: float = 50.0


class HttpPool(Generic[Token]):
    """Carries at most `size` requests at once, and keeps its connections for later requests.

    A request is given to an open connection only: what was never sent is no try.
    """

    def __init__(
        self,
        connector: Connector,
        *,
        size: int,
        most_connections: int,
        timeouts: Timeouts,
        clock: Clock,
    ) -> None:
        self._connector = connector
        self._size = self._most = self._most_at_once = size
        self._most_connections = most_connections
        self._timeouts = timeouts
        self._clock = clock
        self._selector = selectors.DefaultSelector()
        self._openings = Openings(
            connector, self._selector, clock, timeout_seconds=timeouts.connect_seconds
        )
        self._connections: OpenConnections[Token] = OpenConnections(clock)
        self._calmed: set[HttpConnection[Token]] = set()
        """Those whose servers have asked for calm, and still answer."""
        self._waker = Waker()
        self._selector.register(self._waker, selectors.EVENT_READ)
        self._is_quiet = True
        self.under_way = 0
        """How many requests have no answer yet."""

    def limit(self, most: int) -> int:
        """Carry at most `most` requests at once from now on, but never more than its size.

        Returns how many it carries.
        """
        self._most = self._most_at_once = max(1, min(self._size, most))
        return self._most

    def keep_empty(self, places: int) -> None:
        """Carry `places` requests fewer at once than the limit from now on, but at least one."""
        self._most_at_once = max(1, self._most - places)

    @property
    def room(self) -> int:
        """How many requests can be begun now."""
        return max(0, min(self._most_at_once - self.under_way, self._connections.room))

    @property
    def has_room(self) -> bool:
        """Whether a request can be begun now."""
        return self._connections.have_room and self.under_way < self._most_at_once

    @property
    def has_answered(self) -> bool:
        """Whether there will be more room as soon as the next poll has shown what is quiet."""
        return self._connections.have_answered

    @property
    def is_opening(self) -> bool:
        """Whether a connection is being opened."""
        return bool(self._openings)

    @property
    def protocols(self) -> frozenset[str]:
        """What the connections speak that have been open since the last `drop_idle`."""
        return frozenset(self._connections.protocols)

    def may_open(self, ready: int) -> bool:
        """Tell whether to open one more connection now, for `ready` requests that wait.

        A connection is opened only when the last poll brought no news: opening takes a
        millisecond of the processor, so it fills the gaps in which nothing but answers is waited
        for. That makes as many as the work deserves: few posts are over before there is a gap.
        """
        return self._is_quiet and self.lacks_connections(ready)

    def lacks_connections(self, ready: int) -> bool:
        """Tell whether `ready` requests that wait deserve one more, once a poll is quiet."""
        connections, opening = self._connections, len(self._openings)
        if not ready or connections.have_room or connections.have_answered:
            return False
        if self.under_way + opening >= self._most_at_once:
            return False
        if len(connections) + opening >= self._most_connections:
            return False
        if self._openings.are_enough_for(ready):
            return False
        return connections.stuck < OPENING_AT_ONCE  # else the server takes nothing now

    def open(self) -> None:
        """Begin to open a connection. Raises OSError when that cannot even begin."""
        self._openings.begin()

    def take_failures(self) -> list[Exception]:
        """Return why connections could not be opened since the last call."""
        return self._openings.take_failures()

    def send(self, requests: Iterable[tuple[Token, Request]]) -> list[Ending[Token]]:
        """Begin requests, which are asked for as they leave; there should be room for all of them.

        Returns what ends by that: requests of connections that are found lost, and those for which
        there is no room.
        """
        remaining, now = iter(requests), self._clock.monotonic()
        endings: list[Ending[Token]] = []
        while self._connections.have_room:
            http = self._connections.take_ready()
            room = http.room
            batch = list(islice(remaining, room))
            if batch:
                self.under_way += len(batch)
                self._send(http, batch, now, endings)
            self._connections.put_back(http)  # its room is by the bodies before: it may be wider
            if len(batch) < room:
                break
        in_vain = NotProcessedError("no connection has room")
        return [*endings, *((token, in_vain) for token, _ in remaining)]

    def _send(
        self,
        http: HttpConnection[Token],
        batch: Sequence[tuple[Token, Request]],
        now: float,
        endings: list[Ending[Token]],
    ) -> None:
        try:
            http.send(batch, now)
        except OSError as error:
            endings += self._lose(http, error)
            return
        if http.watched != http.interest:
            watch(self._selector, http)

    def poll(self, timeout_seconds: float, deadline: float = math.inf) -> list[Ending[Token]]:
        """Wait for news, at most `timeout_seconds`; return what has ended by the deadline.

        Only one connection gets open in it: the next turn posts there at once, while the
        handshakes of the others, a millisecond each, wait for the next poll.
        """
        events = self._selector.select(timeout_seconds)
        self._is_quiet = not events
        self._connections.keep_answered()
        endings: list[Ending[Token]] = []
        has_opened = False
        one: HttpConnection[Token] | Handshake | None
        for one in dict.fromkeys([key.data for key, _ in events]):  # kqueue names one twice
            if self._clock.monotonic() >= deadline:
                break
            if one is None:
                self._waker.clear()
            elif not isinstance(one, Handshake):
                self._advance(one, endings)
            elif not has_opened:
                has_opened = self._open_on(one)
        return endings

    def wake(self) -> None:
        """End a `poll` that another thread waits in."""
        self._waker.wake()

    def expire(self) -> list[Ending[Token]]:
        """Give up what takes too long, and what is dead; return the requests that this ends."""
        self._openings.expire()
        now, seconds = self._clock.monotonic(), self._timeouts.read_seconds
        endings = self._give_up(now - seconds, f"no answer within {seconds} s")
        for http in self._connections:
            try:
                http.look(now)
            except OSError as error:
                endings += self._lose(http, error)
                continue
            self._connections.sort(http, has_answered=False)
            if http.watched != http.interest:
                watch(self._selector, http)
        return endings

    def abandon(self) -> list[Ending[Token]]:
        """Give up what is under way; return its requests, with their answers where known."""
        self._openings.close()
        return self._give_up(math.inf, "given up before an answer has come")

    def drop_idle(self, until_ms: int) -> None:
        """Close the connections that have sent nothing since then, in epoch milliseconds.

        Not by the monotonic clock: that may stand still while a function is frozen. The epoch
        clock may be set back: what has been idle since a time to come is closed, too.
        """
        self._connections.keep_answered()
        for http in self._connections.idle(until_ms):
            self._drop(http, TimeoutError("idle for too long"))
        self._connections.forget_protocols()

    def close(self) -> None:
        """Close everything."""
        self.abandon()
        self.drop_idle(self._clock.epoch_ms())
        self._selector.close()
        self._waker.close()

    def _open_on(self, handshake: Handshake) -> bool:
        """Go on opening a connection; tell whether it is open now."""
        http: HttpConnection[Any] | None = self._openings.advance(handshake)
        if http is None:
            return False
        self._connections.add(http)
        return True

    def _advance(self, http: HttpConnection[Token], endings: list[Ending[Token]]) -> None:
        try:
            ended = http.advance()
        except (OSError, MalformedAnswerError) as error:
            endings += self._lose(http, error)
            return
        if http.watched != http.interest:
            watch(self._selector, http)
        if ended:
            self._count(http, ended)
            endings += ended
        self._sort(http, has_answered=bool(ended))

    def _count(self, http: HttpConnection[Token], ended: Sequence[Ending[Token]]) -> None:
        """Take note that requests have ended on a connection."""
        self.under_way -= len(ended)
        self._connections.note_use(http)

    def _sort(self, http: HttpConnection[Token], *, has_answered: bool) -> None:
        if http.is_usable:
            self._heed(http)
            self._connections.sort(http, has_answered=has_answered)
        else:
            self._drop(http, ConnectionError("not to be used again"))

    def _give_up(self, until: float, reason: str) -> list[Ending[Token]]:
        endings: list[Ending[Token]] = []
        for http in self._connections:
            ended = http.give_up(until, TimeoutError(reason))
            if ended:
                self.under_way -= len(ended)
                endings += ended
                self._sort(http, has_answered=False)
                self._connector.doubt()
        return endings

    def _lose(self, http: HttpConnection[Token], error: Exception) -> list[Ending[Token]]:
        """Give up a connection; what was under way has its answer if the status has come."""
        endings = self._drop(http, error)
        if endings:
            self._connector.doubt()
        return endings

    def _drop(self, http: HttpConnection[Token], error: Exception) -> list[Ending[Token]]:
        self._selector.unregister(http)
        self._connections.remove(http)
        self._heed(http)
        self._calmed.discard(http)
        endings = list(http.close(error))
        self.under_way -= len(endings)
        return endings

    def _heed(self, http: HttpConnection[Token]) -> None:
        """Have nothing opened for a while when a server asks for calm: once for a connection."""
        if http.wants_calm and http not in self._calmed:
            self._calmed.add(http)
            self._connector.calm()
