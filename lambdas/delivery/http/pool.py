"""The HTTP connections of one thread, watched by one selector."""

import math
import selectors
from itertools import takewhile
from typing import NamedTuple

from broadcasting.clock import Clock
from delivery.http.connector import Connector
from delivery.http.http1_connection import HttpConnection
from delivery.http.http1_head import MalformedAnswerError
from delivery.http.http1_response import Response
from delivery.http.openings import Openings, watch
from delivery.http.waker import Waker
from delivery.losses import Ending, loss
from delivery.post import Post


class Timeouts(NamedTuple):
    """How long opening a connection may take, how long an answer, and how long one may idle."""

    connect_seconds: float = 2.0
    read_seconds: float = 5.0
    idle_seconds: float = 50.0


class HttpPool:
    """Carries posts on at most `size` connections, and keeps these for later posts.

    A post is given to an open connection only: what has never left is no try.
    """

    def __init__(
        self, connector: Connector, *, size: int, timeouts: Timeouts, clock: Clock
    ) -> None:
        self._connector = connector
        self._size = size
        self._timeouts = timeouts
        self._clock = clock
        self._selector = selectors.DefaultSelector()
        self._openings = Openings(
            connector, self._selector, clock, timeout_seconds=timeouts.connect_seconds
        )
        self._busy: dict[HttpConnection, float] = {}
        self._answered: list[HttpConnection] = []
        self._idle: list[HttpConnection] = []
        self._waker = Waker()
        self._selector.register(self._waker, selectors.EVENT_READ)
        self._is_quiet = True

    @property
    def under_way(self) -> int:
        """How many posts have no answer yet."""
        return len(self._busy)

    @property
    def room(self) -> int:
        """How many posts can be started now: the connections that are idle."""
        return len(self._idle)

    @property
    def is_opening(self) -> bool:
        """Whether a connection is being opened."""
        return bool(self._openings)

    def may_open(self, ready: int) -> bool:
        """Tell whether to open one more connection now, for `ready` posts that wait.

        A connection is opened only when the last poll brought no news: opening takes a
        millisecond of the processor, so it fills the gaps in which nothing but answers is waited
        for. That makes as many as the work deserves: few posts are over before there is a gap.
        """
        return self._is_quiet and self.lacks_connections(ready)

    def lacks_connections(self, ready: int) -> bool:
        """Tell whether `ready` posts that wait deserve one more, as soon as a poll is quiet."""
        if not ready or self._idle or self._answered:
            return False
        if len(self._busy) + len(self._openings) >= self._size:
            return False
        return not self._openings.are_enough_for(ready)

    @property
    def has_answered(self) -> bool:
        """Whether there will be more room as soon as the next poll has shown who is quiet."""
        return bool(self._answered)

    def open(self) -> None:
        """Begin to open a connection. Raises OSError when that cannot even begin."""
        self._openings.begin()

    def take_failures(self) -> list[Exception]:
        """Return why connections could not be opened since the last call."""
        return self._openings.take_failures()

    def send(self, post: Post, request: bytes) -> None:
        """Start a post, if there is room. Raises OSError when it cannot be started."""
        http = self._idle.pop()
        http.post = post
        self._busy[http] = self._clock.monotonic()
        try:
            http.send(request)
        except OSError as error:
            self._drop(http)
            self._connector.doubt()
            raise loss(http, error) from error
        watch(self._selector, http)

    def poll(self, timeout_seconds: float, deadline: float = math.inf) -> list[Ending]:
        """Wait for news of posts at most so long; return those that ended by the deadline.

        At most one connection gets open in it: the next turn posts there at once, while the
        handshakes of the others, a millisecond each, wait for the next poll.
        """
        events = self._selector.select(timeout_seconds)
        self._is_quiet = not events
        self._rest_answered()
        endings: list[Ending] = []
        has_opened = False
        http: HttpConnection | None
        for http in dict.fromkeys(key.data for key, _ in events):  # kqueue names one twice
            if self._clock.monotonic() >= deadline:
                break
            if http is None:
                self._waker.clear()
            elif http.post is not None:
                self._advance(http, endings)
            elif http.is_open:
                self._check_idle(http)
            elif not has_opened:
                has_opened = self._open_on(http)
        return endings

    def wake(self) -> None:
        """End a `poll` that another thread waits in."""
        self._waker.wake()

    def expire(self) -> list[Ending]:
        """Give up what takes too long; return the posts that this ends."""
        self._openings.expire()
        seconds = self._timeouts.read_seconds
        since = self._clock.monotonic() - seconds
        late = list(takewhile(lambda http: self._busy[http] <= since, self._busy))
        return [self._lose(http, TimeoutError(f"no answer within {seconds} s")) for http in late]

    def abandon(self) -> list[tuple[Post, Response | None]]:
        """Close what is under way; return its posts, with their answers where these are known."""
        self._openings.close()
        abandoned = list(self._busy)
        posts = [(http.post, http.end()) for http in abandoned if http.post]
        for http in abandoned:
            self._drop(http)
        return posts

    def drop_idle(self, until_ms: int) -> None:
        """Close the connections that have carried nothing since then, in epoch milliseconds.

        Not by the monotonic clock: that may stand still while a function is frozen. The epoch
        clock may be set back: what has been idle since a time to come is closed, too.
        """
        self._rest_answered()
        now_ms = self._clock.epoch_ms()
        for http in self._idle.copy():
            http.has_rested = True
            if not until_ms < http.idle_since_ms <= now_ms:
                self._drop(http)

    def close(self) -> None:
        """Close everything."""
        self.abandon()
        self.drop_idle(self._clock.epoch_ms())
        self._selector.close()
        self._waker.close()

    def _rest_answered(self) -> None:
        self._idle += self._answered
        self._answered.clear()

    def _open_on(self, http: HttpConnection) -> bool:
        """Go on opening a connection; tell whether it is open now."""
        if not self._openings.advance(http):
            return False
        http.idle_since_ms = self._clock.epoch_ms()
        self._idle.append(http)
        return True

    def _advance(self, http: HttpConnection, endings: list[Ending]) -> None:
        try:
            answer = http.advance()
        except (OSError, MalformedAnswerError) as error:
            endings.append(self._lose(http, error))
            return
        watch(self._selector, http)
        if answer is not None:
            endings.append(self._end(http, answer))

    def _end(self, http: HttpConnection, answer: Response) -> Ending:
        post = http.post
        assert post
        if answer.keeps_alive:
            http.post = None
            http.idle_since_ms = self._clock.epoch_ms()
            del self._busy[http]
            self._answered.append(http)
        else:
            self._drop(http)
        return post, answer

    def _lose(self, http: HttpConnection, error: Exception) -> Ending:
        """Give up a connection; its post still has its answer if the status has come."""
        post, answer = http.post, http.end()
        assert post
        self._drop(http)
        self._connector.doubt()
        return post, answer or loss(http, error)

    def _check_idle(self, http: HttpConnection) -> None:
        if not http.is_quiet():
            self._drop(http)

    def _drop(self, http: HttpConnection) -> None:
        self._selector.unregister(http)
        self._busy.pop(http, None)
        if http.post is None:
            self._idle.remove(http)
        http.close()
