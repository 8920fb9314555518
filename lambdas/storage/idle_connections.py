"""Closes the connections of a boto3 client that have been idle for long, before they are used.

The server closes idle connections, and a function that is frozen meanwhile does not notice: its
next request gets a reset, after which botocore waits up to a second, or gets no answer at all.

https://docs.aws.amazon.com/lambda/latest/dg/best-practices.html
"""

from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING

from broadcasting.clock import Clock

if TYPE_CHECKING:
    from botocore.client import BaseClient

IDLE_SECONDS = 50.0
"""How long a connection may be idle; the pool of the posts has the same limit."""


def close_when_idle(client: "BaseClient", clock: Clock) -> None:
    """Have a client open new connections when it has sent nothing for IDLE_SECONDS.

    The epoch clock tells, as the monotonic clock may stand still in a freeze. Any number of
    threads may use the client.
    """
    client.meta.events.register("before-send", _Idleness(client.close, clock).end)


class _Idleness:
    """Knows when a client sent its last request; `end` is a hook of botocore's.

    The hook runs before each attempt. A connection that is closed has been idle for longer than any
    request lasts, and the lock keeps requests back that begin at this moment.
    """

    def __init__(self, close: Callable[[], None], clock: Clock) -> None:
        self._close = close
        self._epoch_ms = clock.epoch_ms
        self._used_ms = clock.epoch_ms()
        self._lock = Lock()

    def end(self, **_: object) -> None:
        """Close the connections if they are old, or if the clock was set back: they may be old."""
        with self._lock:
            used_ms, self._used_ms = self._used_ms, self._epoch_ms()
            if not 0 <= self._used_ms - used_ms <= IDLE_SECONDS * 1000:
                self._close()
