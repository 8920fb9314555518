"""Time and chance as ports: the rules take both as arguments, code that acts reads them."""

from collections.abc import Callable
from typing import NamedTuple


class Clock(NamedTuple):
    """Reads the time, and lets it pass.

    `monotonic` is in seconds, `epoch_ms` in milliseconds since 1970; `sleep` takes seconds. These
    are functions and no methods: the posting threads then call `time.monotonic` itself.
    """

    monotonic: Callable[[], float]
    epoch_ms: Callable[[], int]
    sleep: Callable[[float], object]


Jitter = Callable[[], float]
"""Chance: returns a number in [0, 1), each one as likely as any other."""
