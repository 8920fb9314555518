"""The connections of one thread that are being opened: none of them carries a post yet."""

from itertools import takewhile
from selectors import BaseSelector
from typing import Any

from broadcasting.clock import Clock
from delivery.http.connection import HttpConnection, Watched
from delivery.http.connector import ATTEMPT_DELAY_SECONDS, Connector
from delivery.http.handshake import Handshake

OPENING_AT_ONCE = 8
"""This many connections are being opened at a time at most."""


class Openings:
    """Opens connections, and keeps those that are not open yet; remembers why some failed."""

    def __init__(
        self,
        connector: Connector,
        selector: BaseSelector,
        clock: Clock,
        *,
        timeout_seconds: float,
    ) -> None:
        self._connector = connector
        self._selector = selector
        self._timeout_seconds = timeout_seconds
        self._monotonic = clock.monotonic
        self._begun_at: dict[Handshake, float] = {}
        self._failures: list[Exception] = []

    def __len__(self) -> int:
        """Return how many connections are being opened."""
        return len(self._begun_at)

    def are_enough_for(self, posts: int) -> bool:
        """Tell whether no further connection should be opened now for posts that wait.

        One connection for each post is enough, with those that other threads open: most posts wait
        for any thread. An attempt that takes long does not count.
        """
        if len(self._begun_at) >= OPENING_AT_ONCE or self._connector.is_delayed:
            return True
        return self._connector.young >= posts

    def begin(self) -> None:
        """Begin to open a connection. Raises OSError when that cannot even begin."""
        if self._begun_before(ATTEMPT_DELAY_SECONDS):
            self._connector.doubt()
        handshake = self._connector.open()
        self._begun_at[handshake] = self._monotonic()
        self._selector.register(handshake, handshake.interest, handshake)
        handshake.watched = handshake.interest

    def advance(self, handshake: Handshake) -> HttpConnection[Any] | None:
        """Go on opening a connection; return it once it is open."""
        try:
            http = handshake.advance()
        except OSError as error:
            self._fail(handshake, error)
            return None
        if http is None:
            watch(self._selector, handshake)
            return None
        del self._begun_at[handshake]
        self._connector.opened(handshake)
        watch(self._selector, http)
        return http

    def expire(self) -> None:
        """Give up what takes too long."""
        for handshake in self._begun_before(self._timeout_seconds):
            self._fail(handshake, TimeoutError(f"no connection within {self._timeout_seconds} s"))

    def take_failures(self) -> list[Exception]:
        """Return why connections could not be opened since the last call."""
        failures, self._failures = self._failures, []
        return failures

    def close(self) -> None:
        """Give up everything, and forget the failures."""
        for handshake in list(self._begun_at):
            self._drop(handshake)
            self._connector.dropped(handshake)
        self._failures = []

    def _fail(self, handshake: Handshake, error: Exception) -> None:
        self._failures.append(error)
        self._drop(handshake)
        self._connector.failed(handshake)

    def _drop(self, handshake: Handshake) -> None:
        del self._begun_at[handshake]
        self._selector.unregister(handshake)
        handshake.close()

    def _begun_before(self, seconds: float) -> list[Handshake]:
        """Return the handshakes that were begun at least `seconds` ago, the oldest first."""
        until = self._monotonic() - seconds
        return list(takewhile(lambda handshake: self._begun_at[handshake] <= until, self._begun_at))


def watch(selector: BaseSelector, one: Watched) -> None:
    """Have a connection, or its handshake, watched for what it waits for now."""
    selector.modify(one, one.interest, one)
    one.watched = one.interest
