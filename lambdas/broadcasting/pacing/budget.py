"""The budget of all workers: one token bucket, from which each reserves posts ahead of need.

The bucket is one number, GCRA's theoretical arrival time (`tat`, in epoch milliseconds): when the
bucket will be full again if nobody takes anything more. To take n posts moves it n posts' worth of
time ahead, so workers need not know of each other. Pure: who holds the number is `Budget`'s affair.

https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm
"""

from typing import NamedTuple, Protocol

from broadcasting.pacing.pace import Pace

WINDOW_MS = 150.0
"""A worker reserves what the whole budget allows in this time, when nobody else is there."""

HALVING_MS = 35.0
"""It reserves half as much for so much of a queue before it: all see the same queue, so they get
the same, and the queue of 64 workers is some 0.2 s long."""

ROW_WRITES_PER_SECOND = 400.0
"""What one row shall take: DynamoDB allows a partition 1,000 small writes per second."""

KEPT_SHARE = 0.25
"""The part of the burst that is kept for small broadcasts while a big one is under way."""

_SMALL_SHARE = 0.4
_MOST_SMALL_POSTS = 400.0
_BELIEF_MS = 1_000.0
_SLACK_MS = 50.0
_TOO_FAR_MS = 60_000.0
_TOO_FAR_BURSTS = 32.0
_TRIES = 3


class BudgetError(Exception):
    """The budget cannot be reached."""


class Ask(NamedTuple):
    """What a worker wants: `uncharged` posts have gone already, up to `most` shall go next."""

    uncharged: int
    most: int
    is_small: bool


class Grant(NamedTuple):
    """So many posts, debts included: the first may go at `opens_at_ms`, each next one a step on."""

    posts: int
    opens_at_ms: float
    ms_per_post: float


class Budget(Protocol):
    """Where all workers reserve their posts."""

    def reserve(self, ask: Ask) -> Grant:
        """Reserve posts: the debt, and as many as there are for one. Raises BudgetError."""
        ...


class TatUpdate(NamedTuple):
    """How a reservation changes the number, and when it may.

    Rested (`is_rested`): the number becomes `value_ms`, if there is none, or it is below `low_ms`
    or above `high_ms`. Else `value_ms` is added to it, if it lies between the two.
    """

    value_ms: float
    low_ms: float
    high_ms: float
    is_rested: bool

    def changed(self, tat_ms: float | None) -> float | None:
        """Return the number after the write, None when it may not be written."""
        is_rested = tat_ms is None or not self.low_ms <= tat_ms <= self.high_ms
        if is_rested is not self.is_rested:
            return None
        return self.value_ms if tat_ms is None or is_rested else tat_ms + self.value_ms


def small_posts(pace: Pace) -> float:
    """Return up to how many posts a broadcast is small."""
    return min(_MOST_SMALL_POSTS, _SMALL_SHARE * pace.burst)


class TatEstimate(NamedTuple):
    """How far ahead of the clock a worker found the number, and when it looked."""

    ahead_ms: float
    seen_ms: float

    def tat_ms(self, now_ms: float) -> float | None:
        """Return what the number will be now: in a queue that lasts, it keeps its distance."""
        if self.ahead_ms <= 0 or not 0 <= now_ms - self.seen_ms <= _BELIEF_MS:
            return None
        return now_ms + self.ahead_ms


class Reservation:
    """One reservation on its way: try `write`, and tell whether it was `refused` or `granted`."""

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
        self._far_ms = now_ms + _TOO_FAR_MS + far_ms  # only a clock that is wrong comes there
        self._tries_left = _TRIES + 1  # planning takes one
        self._plan(estimate.tat_ms(now_ms) if estimate else None)

    def _plan(self, tat_ms: float | None) -> None:
        """Size the reservation by what the number is thought to be."""
        self._tries_left -= 1
        self._is_last = self._tries_left == 1
        now_ms, is_rested = self._now_ms, True
        if tat_ms is not None and now_ms <= tat_ms <= self._far_ms:
            is_rested = False
        start_ms = now_ms if is_rested or tat_ms is None else tat_ms
        self._posts = self._ask.uncharged + min(self._ask.most, self._size(start_ms - now_ms))
        worth_ms = self._posts * self._ms_per_post
        if is_rested:
            self.write = TatUpdate(now_ms + worth_ms, now_ms, self._far_ms, is_rested=True)
        else:
            full_ms = now_ms + self._long_burst * self._ms_per_post - worth_ms
            high_ms = self._far_ms if self._is_last else max(start_ms + _SLACK_MS, full_ms)
            self.write = TatUpdate(worth_ms, now_ms, high_ms, is_rested=False)

    def _size(self, ahead_ms: float) -> int:
        """Return how many posts one may reserve: what can go at once, or a share of the queue.

        A small broadcast has the whole of what it wants, in its turn. The last try, which does
        not heed what others have reserved meanwhile, is for the least.
        """
        room = self._long_burst - ahead_ms / self._ms_per_post - self._ask.uncharged
        queue_ms = max(0.0, -room * self._ms_per_post)
        share = WINDOW_MS * 0.5 ** (queue_ms / HALVING_MS) / self._ms_per_post
        size = max(self._fewest, 0.0 if self._is_last else max(room, share))
        return int(max(size, self._small_posts) if self._ask.is_small else size)

    @property
    def may_try(self) -> bool:
        """Whether it is worth another try."""
        return self._tries_left > 0

    def refused(self, found_ms: float | None) -> None:
        """Plan anew from what the number was found to be."""
        self._plan(found_ms)

    def granted(self, tat_ms: float) -> tuple[Grant, TatEstimate]:
        """Return what was reserved, from what the number is after the write."""
        before_ms = tat_ms - self._posts * self._ms_per_post
        is_small = self._ask.is_small and self._posts <= self._small_posts
        ahead = (self._burst if is_small else self._long_burst) - 1.0
        opens_at_ms = before_ms - ahead * self._ms_per_post
        estimate = TatEstimate(before_ms - self._now_ms, self._now_ms)
        return Grant(self._posts, opens_at_ms, self._ms_per_post), estimate
