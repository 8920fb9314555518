"""Monotonic time that goes on while a function is frozen."""

from broadcasting.clock import Clock

_LEAST_SECONDS = 0.05
"""A smaller difference is no freeze: the two clocks are not read at the same moment."""


class LastingTime:
    """Monotonic seconds, and the seconds of all freezes that `look` has found.

    Lambda freezes a function between two invocations. The monotonic clock may stand still then;
    the epoch clock goes on, but people and programs set it. So a freeze is as long as the epoch
    clock has gone further than the monotonic one. An epoch clock that is set back changes nothing.
    One that is set ahead looks like a freeze: at worst that costs a reservation, or lends a burst.

    https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.frozen_seconds = 0.0
        """The length of all freezes that have been found. It never falls."""
        self._monotonic = clock.monotonic
        self._seen_seconds = clock.monotonic()
        self._seen_ms = clock.epoch_ms()

    def seconds(self) -> float:
        """Return the time, in seconds since a moment that is not specified."""
        return self._monotonic() + self.frozen_seconds

    def look(self) -> None:
        """Add the freeze since the last look, if there was one."""
        seconds, epoch_ms = self._monotonic(), self.clock.epoch_ms()
        frozen = (epoch_ms - self._seen_ms) / 1000 - (seconds - self._seen_seconds)
        self._seen_seconds, self._seen_ms = seconds, epoch_ms
        if frozen >= _LEAST_SECONDS:
            self.frozen_seconds += frozen
