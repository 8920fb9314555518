"""The HTTP connections of one thread, watched by one selector."""

import math
import selectors
from collections.abc import Iterator
from itertools import takewhile
from typing import NamedTuple

from broadcasting.clock import Clock
from delivery.connector import Connector
from delivery.http_answer import Answer
from delivery.http_connection import HttpConnection
from delivery.http_head import MalformedAnswerError
from delivery.post import Post
from delivery.waker import Waker

OPENING_AT_ONCE = 8
"""How many connections are being opened at a time."""


class Timeouts(NamedTuple):
    """How long opening a connection may take, how long an answer, and how long one may idle."""

    connect_seconds: float = 2.0
    read_seconds: float = 5.0
    idle_seconds: float = 50.0


class IdleClosedError(ConnectionError):
    """The server had closed the connection while it was idle: the post was in vain."""


Ending = tuple[Post, Answer | Exception]
"""A post, and its answer or why there is none."""


class HttpPool:
    """Carries posts on at most `size` connections, and keeps these for later posts."""

    def __init__(
        self,
        connector: Connector,
        *,
        size: int,
        timeouts: Timeouts,
        clock: Clock,
    ) -> None:
        self._connector = connector
        self._size = size
        self._timeouts = timeouts
        self._clock = clock
        self._selector = selectors.DefaultSelector()
        self._opening: dict[HttpConnection, float] = {}
        self._busy: dict[HttpConnection, float] = {}
        self._answered: list[HttpConnection] = []
        self._idle: list[HttpConnection] = []
        self._waker = Waker()
        self._selector.register(self._waker, selectors.EVENT_READ)
        self._is_quiet = True

    @property
    def under_way(self) -> int:
        """How many posts have no answer yet."""
        return len(self._opening) + len(self._busy)

    @property
    def may_open(self) -> bool:
        """Whether one more connection may be opened, now or as soon as nothing else is to do."""
        connections = self.under_way + len(self._idle) + len(self._answered)
        return connections < self._size and len(self._opening) < OPENING_AT_ONCE

    @property
    def room(self) -> int:
        """How many posts can be started now.

        A connection is opened only when the last poll brought no news: opening takes a
        millisecond of the processor, so it fills the gaps in which nothing but answers is waited
        for. That makes as many as the work deserves: few posts are over before there is a gap.
        """
        return len(self._idle) + (self._is_quiet and self.may_open)

    @property
    def has_answered(self) -> bool:
        """Whether there will be more room as soon as the next poll has shown who is quiet."""
        return bool(self._answered)

    def carry(self, post: Post, request: bytes) -> None:
        """Start a post, if there is room. Raises OSError when it cannot be started."""
        if self._idle:
            http, started = self._idle.pop(), self._busy
        else:
            http, started = self._connector.open(), self._opening
            self._selector.register(http, http.interest, http)
            http.watched = http.interest
        http.post = post
        started[http] = self._clock.monotonic()
        try:
            http.send(request)
        except OSError as error:
            self._drop(http)
            raise self._loss(http, error) from error
        self._watch(http)

    def poll(self, timeout_seconds: float, deadline: float = math.inf) -> list[Ending]:
        """Wait for news of posts at most so long; return those that ended by the deadline."""
        events = self._selector.select(timeout_seconds)
        self._is_quiet = not events
        self._rest_answered()
        endings: list[Ending] = []
        http: HttpConnection | None
        for http in dict.fromkeys(key.data for key, _ in events):  # kqueue names one twice
            if self._clock.monotonic() >= deadline:
                break
            if http is None:
                self._waker.clear()
            elif http.post is None:
                self._check_idle(http)
            else:
                self._advance(http, endings)
        return endings

    def wake(self) -> None:
        """End a `poll` that another thread waits in."""
        self._waker.wake()

    def expire(self) -> list[Ending]:
        """Give up what takes too long; return the posts that this ends."""
        return [
            *self._expire(self._opening, self._timeouts.connect_seconds, "no connection"),
            *self._expire(self._busy, self._timeouts.read_seconds, "no answer"),
        ]

    def abandon(self) -> list[tuple[Post, Answer | None]]:
        """Close what is under way; return its posts, with their answers where these are known."""
        abandoned = [*self._opening, *self._busy]
        posts = [(http.post, http.end()) for http in abandoned if http.post]
        for http in abandoned:
            self._drop(http)
        return posts

    def drop_idle(self, until_ms: int) -> None:
        """Close the connections that have carried nothing since then, in epoch milliseconds.

        Not by the monotonic clock: that may stand still while a function is frozen.
        """
        self._rest_answered()
        for http in [one for one in self._idle if one.idle_since_ms <= until_ms]:
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

    def _advance(self, http: HttpConnection, endings: list[Ending]) -> None:
        try:
            answer = http.advance()
        except (OSError, MalformedAnswerError) as error:
            endings.append(self._lose(http, error))
            return
        if http.is_open and self._opening.pop(http, None) is not None:
            self._busy[http] = self._clock.monotonic()
        self._watch(http)
        if answer is not None:
            endings.append(self._end(http, answer))

    def _end(self, http: HttpConnection, answer: Answer) -> Ending:
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
        return post, answer or self._loss(http, error)

    @staticmethod
    def _loss(http: HttpConnection, error: Exception) -> Exception:
        """Return why there is no answer; a server may close what is idle, and then tells nobody."""
        was_idle = http.answers and not http.has_heard and not isinstance(error, TimeoutError)
        return IdleClosedError(str(error)) if was_idle else error

    def _expire(
        self, posts: dict[HttpConnection, float], seconds: float, what: str
    ) -> Iterator[Ending]:
        since = self._clock.monotonic() - seconds
        late = list(takewhile(lambda http: posts[http] <= since, posts))
        for http in late:
            yield self._lose(http, TimeoutError(f"{what} within {seconds} s"))

    def _check_idle(self, http: HttpConnection) -> None:
        if not http.is_quiet():
            self._drop(http)

    def _watch(self, http: HttpConnection) -> None:
        if http.watched != http.interest:
            self._selector.modify(http, http.interest, http)
            http.watched = http.interest

    def _drop(self, http: HttpConnection) -> None:
        self._selector.unregister(http)
        self._opening.pop(http, None)
        self._busy.pop(http, None)
        if http.post is None:
            self._idle.remove(http)
        http.close()
