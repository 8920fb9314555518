"""The time of a test: it goes on by itself, jumps, and stands still for a frozen function."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from broadcasting.clock import Clock


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


def app_clock(of: Time, skew_seconds: float = 0.0) -> Clock:
    """Return the clock of one environment; `skew_seconds` is its error.

    Its monotonic seconds leave out the time that is skipped.
    """

    def epoch_ms() -> int:
        return (time.time_ns() + int((of.ahead_seconds + skew_seconds) * 1e9)) // 1_000_000

    return Clock(time.monotonic, epoch_ms, time.sleep)
