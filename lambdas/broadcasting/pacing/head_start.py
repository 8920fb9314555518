"""The posts with which a small broadcast begins before the budget has granted any."""

import math

from broadcasting.pacing.held_grant import NOTHING
from broadcasting.pacing.pace import Pace

LINGER_SECONDS = 0.005
"""Uncharged posts wait this long, so that one request pays for the whole of a small broadcast."""

_MOST_POSTS = 100.0
_SHARE_OF_BURST = 1 / 64
"""With this share, 64 workers that begin at once post no more than the burst."""


class HeadStart:
    """Counts posts that go first and are charged with the next reservation."""

    def __init__(self, pace: Pace) -> None:
        self._size = max(1.0, min(_MOST_POSTS, _SHARE_OF_BURST * pace.burst // 1))
        self._indebted_at = -math.inf
        self._barred_until = -math.inf
        self.remaining = 0.0
        """How many posts of this broadcast may still go."""
        self.uncharged = 0.0
        """How many posts have gone that are not charged yet."""

    def begin(self, now: float, *, is_allowed: bool) -> None:
        """Begin a broadcast: with a head start only when nothing is uncharged, and none barred."""
        may_start = is_allowed and not self.uncharged and now >= self._barred_until
        self.remaining = self._size if may_start else 0.0

    def forfeit(self) -> None:
        """Let no more posts of this broadcast go."""
        self.remaining = 0.0

    def bar(self, until: float) -> None:
        """Give broadcasts that begin before a time no head start."""
        self._barred_until = until

    def spend(self, posts: float, now: float) -> float:
        """Use up posts; return how many of them there were not."""
        part = min(posts, self.remaining)
        if part > 0:
            self._indebted_at = self._indebted_at if self.uncharged else now
            self.remaining -= part
            self.uncharged += part
        return posts - part if posts - part > NOTHING else 0.0

    def take_back(self, posts: float) -> float:
        """Take back posts that are not charged yet; return how many of them are."""
        unpaid = min(posts, self.uncharged)
        self.uncharged -= unpaid
        self.remaining += unpaid
        return posts - unpaid

    def pay(self, posts: float) -> float:
        """Pay with granted posts for those that are not charged; return how many that took."""
        paid = min(self.uncharged, posts)
        self.uncharged -= paid
        return paid

    def forgive(self) -> None:
        """Charge no post any more that has gone by now."""
        self.uncharged = 0.0

    def charge_at(self, now: float) -> float:
        """Return when to ask, so that what has gone is charged; infinite when it all is."""
        if not self.uncharged:
            return math.inf
        is_urgent = self.uncharged >= 0.5 * self._size
        return now if is_urgent else self._indebted_at + LINGER_SECONDS
