"""Looks a host up, in a thread of its own, and knows how old the answer is."""

import socket
from concurrent.futures import Future, ThreadPoolExecutor

from broadcasting.clock import Clock
from delivery.http.addresses import Address
from delivery.http.endpoint import Endpoint

RESOLVED_SECONDS = 60.0
"""An address is good for this long: the service's names are resolved anew every minute."""

DOUBT_SECONDS = 1.0
"""After a look-up the host is not looked up again for this long, though connections fail."""


class Resolver:
    """Looks up the addresses of one host. For one thread at a time.

    They age by the epoch clock: the monotonic one may stand still while a function is frozen.
    A time in the future counts as long ago, as the epoch clock may be set back.
    """

    def __init__(self, endpoint: Endpoint, clock: Clock) -> None:
        self.problem: Exception = TimeoutError("no answer yet")
        """The error of the last look-up that has failed."""
        self._endpoint = endpoint
        self._epoch_ms = clock.epoch_ms
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="resolve")
        self._look_up: Future[list[Address]] | None = None
        self._begun_at_ms: int | None = None
        self._found_at_ms: int | None = None

    @property
    def is_due(self) -> bool:
        """Whether no address is known yet, or those that are known are too old."""
        return not self._is_since(self._found_at_ms, RESOLVED_SECONDS)

    @property
    def may_doubt(self) -> bool:
        """Whether the last look-up was begun long enough ago to begin another."""
        return not self._is_since(self._begun_at_ms, DOUBT_SECONDS)

    def begin(self) -> Future[list[Address]]:
        """Look the host up, unless that is under way; return the look-up."""
        if self._look_up is None:
            self._begun_at_ms = self._epoch_ms()
            self._look_up = self._thread.submit(self._find)
        return self._look_up

    def take(self) -> list[Address] | None:
        """Return the addresses that a look-up has found; None if it has failed, or not ended."""
        if self._look_up is None or not self._look_up.done():
            return None
        done, self._look_up = self._look_up, None
        try:
            found = done.result()
        except (OSError, UnicodeError) as error:  # Unicode: a label is empty, or too long
            self.problem = error
            return None
        self._found_at_ms = self._begun_at_ms  # it may have ended before a freeze
        return found

    def close(self) -> None:
        """Look up no more."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _is_since(self, then_ms: int | None, seconds: float) -> bool:
        return then_ms is not None and 0 <= self._epoch_ms() - then_ms < seconds * 1000

    def _find(self) -> list[Address]:
        found = socket.getaddrinfo(
            self._endpoint.host, self._endpoint.port, type=socket.SOCK_STREAM
        )
        return [(family, address) for family, _type, _protocol, _name, address in found]
