"""What a worker posts while the budget cannot be reached: a small rate of its own."""

import math

from broadcasting.pacing.held_grant import HeldGrant
from broadcasting.pacing.pace import Pace

LOCAL_SHARE = 0.05
"""The part of the rate that all workers together take when they cannot reach the budget."""

LOCAL_SECONDS = 1.0
"""A worker posts at its share of that part for this time before it asks the budget again."""


class LocalShare:
    """Grants a worker its part of a small rate, which `workers` at most share evenly.

    Each worker may send one post per second, even if its part is smaller.
    """

    def __init__(self, pace: Pace, *, workers: int) -> None:
        self._posts_per_second = max(1.0, LOCAL_SHARE * pace.posts_per_second / workers)
        self._ends_at = -math.inf

    def grant(self, now: float) -> HeldGrant:
        """Return a grant that opens where the one before ends: asking early adds no posts."""
        opens_at = max(now, self._ends_at)
        self._ends_at = opens_at + LOCAL_SECONDS
        rate = self._posts_per_second
        return HeldGrant(rate * LOCAL_SECONDS, opens_at, 1.0 / rate, now, used=0.0)
