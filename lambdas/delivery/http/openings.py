"""The connections of one thread that are being opened: none of them carries a post yet."""

from itertools import takewhile
from selectors import BaseSelector

from broadcasting.clock import Clock
from delivery.http.connector import ATTEMPT_DELAY_SECONDS, Connector
from delivery.http.http1_connection import HttpConnection

OPENING_AT_ONCE = 8
"""How many connections are being opened at a time."""


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
        self._begun_at: dict[HttpConnection, float] = {}
        self._failures: list[Exception] = []

    def __len__(self) -> int:
        """Return how many connections are being opened."""
        return len(self._begun_at)

    def are_enough_for(self, posts: int) -> bool:
        """Tell whether no further connection should be opened now for posts that wait.

        One for each is enough, those of other threads included: most posts wait for any thread.
        An attempt that takes long does not count.
        """
        if len(self._begun_at) >= OPENING_AT_ONCE or self._connector.is_resting:
            return True
        return self._connector.young >= posts

    def begin(self) -> None:
        """Begin to open a connection. Raises OSError when that cannot even begin."""
        if self._begun_before(ATTEMPT_DELAY_SECONDS):
            self._connector.doubt()
        http = self._connector.open()
        self._begun_at[http] = self._monotonic()
        self._selector.register(http, http.interest, http)
        http.watched = http.interest

    def advance(self, http: HttpConnection) -> bool:
        """Go on opening a connection; tell whether it is open now."""
        try:
            is_open = http.open_on()
        except OSError as error:
            self._fail(http, error)
            return False
        watch(self._selector, http)
        if is_open:
            del self._begun_at[http]
            self._connector.opened(http)
        return is_open

    def expire(self) -> None:
        """Give up what takes too long."""
        for http in self._begun_before(self._timeout_seconds):
            self._fail(http, TimeoutError(f"no connection within {self._timeout_seconds} s"))

    def take_failures(self) -> list[Exception]:
        """Return why connections could not be opened since the last call."""
        failures, self._failures = self._failures, []
        return failures

    def close(self) -> None:
        """Give up everything, and forget the failures."""
        for http in list(self._begun_at):
            self._drop(http)
            self._connector.dropped(http)
        self._failures = []

    def _fail(self, http: HttpConnection, error: Exception) -> None:
        self._failures.append(error)
        self._drop(http)
        self._connector.failed(http)

    def _drop(self, http: HttpConnection) -> None:
        del self._begun_at[http]
        self._selector.unregister(http)
        http.close()

    def _begun_before(self, seconds: float) -> list[HttpConnection]:
        """Return those that were begun so long ago; the oldest one comes first."""
        until = self._monotonic() - seconds
        return list(takewhile(lambda http: self._begun_at[http] <= until, self._begun_at))


def watch(selector: BaseSelector, http: HttpConnection) -> None:
    """Have a connection watched for what it waits for."""
    if http.watched != http.interest:
        selector.modify(http, http.interest, http)
        http.watched = http.interest
