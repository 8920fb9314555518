"""The time of a test: it goes on by itself, jumps, and stands still for a frozen function."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Time:
    """The clock of all environments. `when_frozen` are called at each freeze: connections die."""

    ahead_seconds: float = 0.0
    when_frozen: list[Callable[[], None]] = field(default_factory=list)

    def now(self) -> float:
        """Return the time of now, in epoch seconds."""
        return time.time() + self.ahead_seconds

    def now_ms(self) -> int:
        """Return the time of now, in epoch milliseconds."""
        return int(self.now() * 1000)

    def skip(self, seconds: float) -> None:
        """Let time pass at once. Monotonic clocks do not notice it."""
        self.ahead_seconds += seconds

    def freeze(self, seconds: float) -> None:
        """Let time pass as it does for a frozen function.

        The epoch clock goes on, the monotonic one stands still, and each connection is dead when
        it is used again.
        """
        self.skip(seconds)
        for happen in self.when_frozen:
            happen()


@dataclass
class Clock:
    """What one environment knows as the module `time`; `skew_seconds` is its clock's error."""

    time: Time
    skew_seconds: float = 0.0

    def monotonic(self) -> float:
        """Return the seconds that have passed, those skipped left out."""
        return time.monotonic()

    def time_ns(self) -> int:
        """Return the epoch time in nanoseconds."""
        return time.time_ns() + int((self.time.ahead_seconds + self.skew_seconds) * 1e9)
