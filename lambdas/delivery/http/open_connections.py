"""The open connections of one thread: which of them have room, and which have been idle."""

from collections import OrderedDict
from collections.abc import Iterator
from operator import attrgetter
from typing import Generic

from broadcasting.clock import Clock
from delivery.http.connection import HttpConnection, Token

_room_of = attrgetter("room")


class OpenConnections(Generic[Token]):
    """Sorts connections; opens and closes none."""

    def __init__(self, clock: Clock) -> None:
        self._epoch_ms = clock.epoch_ms
        self._used_ms: dict[HttpConnection[Token], int] = {}
        """All connections, and when each was last of use, in epoch milliseconds."""
        self._answered: dict[HttpConnection[Token], None] = {}
        self._ready: OrderedDict[HttpConnection[Token], None] = OrderedDict()
        """The connections that have room. Those that have just answered, and carry nothing more,
        join them when the next poll has shown that they are quiet."""
        self.protocols: set[str] = set()
        """What they speak, with those that were open since `forget_protocols`."""

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._used_ms)

    def __iter__(self) -> Iterator[HttpConnection[Token]]:
        """Yield all; connections may be removed meanwhile."""
        return iter(list(self._used_ms))

    @property
    def room(self) -> int:
        """How many requests those that are ready can take."""
        return sum(map(_room_of, self._ready))

    @property
    def have_room(self) -> bool:
        """Whether any is ready."""
        return bool(self._ready)

    @property
    def have_answered(self) -> bool:
        """Whether any has just answered, and joins those that are ready after the next poll."""
        return bool(self._answered)

    @property
    def stuck(self) -> int:
        """How many take nothing though nothing is in the way, while none is ready or has answered.

        They carry nothing, or the server allows none: each may carry what it got before it told so.
        """
        return sum(http.takes_none or not http.under_way for http in self._used_ms)

    def add(self, http: HttpConnection[Token]) -> None:
        """Add a connection that has just been opened."""
        self._used_ms[http] = self._epoch_ms()
        self._ready[http] = None
        self.protocols.add(http.protocol)

    def take_ready(self) -> HttpConnection[Token]:
        """Take out the connection that has been ready for longest; there must be one.

        `put_back` may follow. All are used in turn: one that is dead gets few posts before it is
        found out.
        """
        return self._ready.popitem(last=False)[0]

    def put_back(self, http: HttpConnection[Token]) -> None:
        """Put back a connection that `take_ready` has returned, if it still has room."""
        if http.room and http in self._used_ms:
            self._ready[http] = None

    def note_use(self, http: HttpConnection[Token]) -> None:
        """Take note that a connection has just been of use."""
        self._used_ms[http] = self._epoch_ms()

    def sort(self, http: HttpConnection[Token], *, has_answered: bool) -> None:
        """Put a connection where it belongs after news of it."""
        if not http.room:
            self._ready.pop(http, None)
        elif has_answered and not http.under_way:
            self._ready.pop(http, None)
            self._answered[http] = None
        elif http not in self._answered:
            self._ready[http] = None

    def keep_answered(self) -> None:
        """Let those that have answered be ready: they are quiet."""
        for http in self._answered:
            if http.room:
                self._ready[http] = None
        self._answered.clear()

    def idle(self, until_ms: int) -> list[HttpConnection[Token]]:
        """Mark all as idle; return those that were of no use since then, in epoch milliseconds.

        The epoch clock may be set back: one that was last of use at a time to come is among them.
        """
        now_ms = self._epoch_ms()
        for http in self._used_ms:
            http.was_idle = True
        return [http for http, ms in self._used_ms.items() if not until_ms < ms <= now_ms]

    def forget_protocols(self) -> None:
        """Forget what connections spoke that are closed by now."""
        self.protocols = {http.protocol for http in self._used_ms}

    def remove(self, http: HttpConnection[Token]) -> None:
        """Forget a connection."""
        del self._used_ms[http]
        self._ready.pop(http, None)
        self._answered.pop(http, None)
