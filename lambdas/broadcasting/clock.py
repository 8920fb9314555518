"""The clock as a port: the rules take the time as an argument, those who act read it here."""

from collections.abc import Callable
from typing import NamedTuple


class Clock(NamedTuple):
    """Where the time comes from, and chance.

    `monotonic` is in seconds, `epoch_ms` in milliseconds since 1970, `jitter` is uniform in
    [0, 1).
    """

    monotonic: Callable[[], float]
    epoch_ms: Callable[[], int]
    jitter: Callable[[], float]
