"""How posts are reserved in the budget: one token bucket, held as one number.

The number is GCRA's theoretical arrival time (`tat`, in epoch milliseconds): the time at which the
bucket will be full again if no more posts are taken. Taking n posts moves it ahead by the time in
which the rate allows n posts, so workers need not know of each other. Pure: `storage.budget` keeps
the number in a row.

https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm
"""

from typing import NamedTuple

from broadcasting.pacing.budget import Ask, Grant, small_posts
from broadcasting.pacing.pace import Pace

WINDOW_MS = 150.0
"""A worker that finds no queue reserves what the whole budget allows in this time."""

HALVING_MS = 35.0
"""Every 35 ms of queue halve a reservation. All workers see one queue, so their shares are equal,
and the queue of 64 workers is about 0.2 s long."""

ROW_WRITES_PER_SECOND = 400.0
"""The writes that one row shall take: DynamoDB allows a partition 1,000 small writes per second."""

KEPT_SHARE = 0.25
"""The part of the burst that is kept for small broadcasts while a big one is under way."""

_ESTIMATE_LASTS_MS = 1_000.0
_SLACK_MS = 50.0
_TOO_FAR_MS = 60_000.0
_TOO_FAR_BURSTS = 32.0
_MOST_WRITES = 3


class TatUpdate(NamedTuple):
    """How a reservation changes the number, and in which state of the row it may.

    A reset (`is_reset`) replaces the number by `value_ms`, if the row has no number, or one below
    `low_ms` or above `high_ms`. Any other update adds `value_ms` to a number between the two.
    """

    value_ms: float
    low_ms: float
    high_ms: float
    is_reset: bool

    def changed(self, tat_ms: float | None) -> float | None:
        """Return the number after the write, None when it may not be written."""
        needs_reset = tat_ms is None or not self.low_ms <= tat_ms <= self.high_ms
        if needs_reset is not self.is_reset:
            return None
        return self.value_ms if tat_ms is None or needs_reset else tat_ms + self.value_ms


class TatEstimate(NamedTuple):
    """How far ahead of the clock a worker found the number, and when the worker found it there."""

    ahead_ms: float
    seen_ms: float

    def tat_ms(self, now_ms: float) -> float | None:
        """Return what the number should be now: while a queue lasts, it keeps its distance."""
        if self.ahead_ms <= 0 or not 0 <= now_ms - self.seen_ms <= _ESTIMATE_LASTS_MS:
            return None
        return now_ms + self.ahead_ms


class Reservation:
    """One reservation on its way: try `write`, then say whether it was `refused` or `granted`."""

    def __init__(
        self, ask: Ask, pace: Pace, *, now_ms: float, estimate: TatEstimate | None
    ) -> None:
        self._ask = ask
        self._now_ms = now_ms
        self._ms_per_post = 1000.0 / pace.posts_per_second
        self._fewest = max(1.0, pace.posts_per_second / ROW_WRITES_PER_SECOND)
        self._burst = pace.burst
        self._long_burst = max(1.0, (1.0 - KEPT_SHARE) * pace.burst)
        self._small_posts = small_posts(pace)
        far_ms = _TOO_FAR_BURSTS * pace.burst * self._ms_per_post
        self._far_ms = now_ms + _TOO_FAR_MS + far_ms  # only a wrong clock puts the number there
        self._remaining_writes = _MOST_WRITES + 1  # planning takes one
        self._plan(estimate.tat_ms(now_ms) if estimate else None)

    def _plan(self, tat_ms: float | None) -> None:
        """Size the reservation for the number that is expected in the row."""
        self._remaining_writes -= 1
        self._is_last = self._remaining_writes == 1
        now_ms, is_reset = self._now_ms, True
        if tat_ms is not None and now_ms <= tat_ms <= self._far_ms:
            is_reset = False
        start_ms = now_ms if is_reset or tat_ms is None else tat_ms
        self._posts = self._ask.uncharged + min(self._ask.most, self._size(start_ms - now_ms))
        worth_ms = self._posts * self._ms_per_post
        if is_reset:
            self.write = TatUpdate(now_ms + worth_ms, now_ms, self._far_ms, is_reset=True)
        else:
            full_ms = now_ms + self._long_burst * self._ms_per_post - worth_ms
            high_ms = self._far_ms if self._is_last else max(start_ms + _SLACK_MS, full_ms)
            self.write = TatUpdate(worth_ms, now_ms, high_ms, is_reset=False)

    def _size(self, ahead_ms: float) -> int:
        """Return how many posts one worker may reserve: what may go at once, or a queue's share.

        A small broadcast gets all that it wants, in its turn. The last write succeeds whatever
        other workers have reserved meanwhile, so it reserves the fewest posts.
        """
        room = self._long_burst - ahead_ms / self._ms_per_post - self._ask.uncharged
        queue_ms = max(0.0, -room * self._ms_per_post)
        share = WINDOW_MS * 0.5 ** (queue_ms / HALVING_MS) / self._ms_per_post
        size = max(self._fewest, 0.0 if self._is_last else max(room, share))
        return int(max(size, self._small_posts) if self._ask.is_small else size)

    @property
    def may_try(self) -> bool:
        """Whether another write is worth its time."""
        return self._remaining_writes > 0

    def refused(self, found_ms: float | None) -> None:
        """Plan anew for the number that the row was found to hold."""
        self._plan(found_ms)

    def granted(self, tat_ms: float) -> tuple[Grant, TatEstimate]:
        """Return what was reserved; `tat_ms` is the number after the write."""
        before_ms = tat_ms - self._posts * self._ms_per_post
        is_small = self._ask.is_small and self._posts <= self._small_posts
        ahead = (self._burst if is_small else self._long_burst) - 1.0
        opens_at_ms = before_ms - ahead * self._ms_per_post
        estimate = TatEstimate(before_ms - self._now_ms, self._now_ms)
        return Grant(self._posts, opens_at_ms, self._ms_per_post), estimate
