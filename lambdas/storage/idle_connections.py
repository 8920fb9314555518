"""Closes the connections of a boto3 client that have been idle for long, before they are used.

The server closes what is idle, and a function that is frozen meanwhile does not hear of it: its
next request meets a reset, after which botocore waits up to a second, or no answer at all.

https://docs.aws.amazon.com/lambda/latest/dg/best-practices.html
"""

from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING

from broadcasting.clock import Clock

if TYPE_CHECKING:
    from botocore.client import BaseClient

IDLE_SECONDS = 50.0
"""For this long a connection may be idle; the pool of the posts has the same limit."""


def close_when_idle(client: "BaseClient", clock: Clock) -> None:
    """Have a client open new connections when it has sent nothing for IDLE_SECONDS.

    By the epoch clock, as the monotonic one may stand still in a freeze. Any number of threads
    may use the client.
    """
    client.meta.events.register("before-send", _Idleness(client.close, clock).end)


class _Idleness:
    """Knows when a client sent its last request; `end` is a hook of botocore's.

    The hook runs before each attempt. What is closed has been idle for so long that no request
    can be under way on it, and the lock keeps those back that begin just now.
    """

    def __init__(self, close: Callable[[], None], clock: Clock) -> None:
        self._close = close
        self._epoch_ms = clock.epoch_ms
        self._used_ms = clock.epoch_ms()
        self._lock = Lock()

    def end(self, **_: object) -> None:
        """Close the connections if they are old, or if the clock was set back: who knows then."""
        with self._lock:
            used_ms, self._used_ms = self._used_ms, self._epoch_ms()
            if not 0 <= self._used_ms - used_ms <= IDLE_SECONDS * 1000:
                self._close()
