"""How long a client waits, in milliseconds: always a random time, as others wait with it. Pure."""

from dataclasses import dataclass
from typing import Final

from broadcasting.clock import Jitter

ANSWER_MS: Final = 10_000
"""After this time a request is asked again: each one may be."""

OPENING_MS: Final = 30_000
"""What a token, a handshake and a join may take together."""

STEADY_MS: Final = 10_000
"""A connection that has been joined for this time was no failure."""

SILENCE_MS: Final = 5_000
"""What a live server may take to answer a ping; and how late a timer may be on an awake machine."""

UNANSWERED_MS: Final = 30_000
"""A connection is dead on which a request waits, and nothing has come for this time."""

_FIRST: Final = 4
_THROTTLED_MS: Final = 4_000
_MOST_THROTTLED_MS: Final = 16_000
_MOST_BUSY_MS: Final = 60_000
_RENEWAL_SHARE = (0.85, 0.95)
_PING_SHARE = (0.9, 1.1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """The waits of one client; `jitter` is its chance."""

    jitter: Jitter
    least_delay_ms: float = 500
    most_delay_ms: float = 60_000
    ping_after_ms: float = 480_000
    gap_wait_ms: float = 2_000

    def longest_before_connect(self, failures: int) -> float:
        """Return the longest wait before a connect, after `failures` of them in a row.

        It doubles from four times the least delay: 30,000 clients that are cut at once then try 4.6
        times each until all are back (docs/contributor/benchmarks.md).
        """
        longest = self.least_delay_ms * _FIRST * 2.0 ** min(failures, 30)
        return min(self.most_delay_ms, longest)

    def before_connect(self, failures: int) -> float:
        """Return the wait before a connect, after `failures` of them in a row."""
        return self.within(self.longest_before_connect(failures))

    def after_throttling(self, refusals: int) -> float:
        """Return the wait of a request that the throttle has refused `refusals` times before."""
        return self.within(min(_MOST_THROTTLED_MS, _THROTTLED_MS * 2.0 ** min(refusals, 30)))

    def after_busy(self, after_ms: float, refusals: int) -> float:
        """Return the wait of a request that the server is too busy for, and said so before."""
        doubled = max(after_ms, self.least_delay_ms) * 2.0 ** min(refusals, 30)
        return min(max(_MOST_BUSY_MS, after_ms), doubled * (1 + self.jitter()))

    def before_renewal(self, renew_in_ms: float) -> float:
        """Return when to renew a connection that ends in `renew_in_ms`; never at once."""
        return max(self.least_delay_ms, renew_in_ms * self._between(*_RENEWAL_SHARE))

    def before_ping(self) -> float:
        """Return when to ask for what no gap shows."""
        return self.ping_after_ms * self._between(*_PING_SHARE)

    def within(self, most_ms: float) -> float:
        """Return a time of up to `most_ms`."""
        return most_ms * self.jitter()

    def _between(self, least: float, most: float) -> float:
        return least + (most - least) * self.jitter()
