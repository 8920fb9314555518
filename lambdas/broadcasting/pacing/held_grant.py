"""A grant that a worker holds: which of its posts may go by now, and which are lost."""

import math
from dataclasses import dataclass

FRESH_SECONDS = 0.5
"""A post that may go is lost after this time: by then another worker posts in its place."""

NOTHING = 1e-6
"""Two figures that differ by less than this are the same: numbers of posts, and seconds."""


@dataclass(slots=True)
class HeldGrant:
    """A grant in the worker's own time, in monotonic seconds; `used` of its posts are used up."""

    posts: float
    opens_at: float
    seconds_per_post: float
    received_at: float
    used: float

    def opened(self, now: float) -> float:
        """Return how many posts have opened: those that may go, or might have gone before."""
        steps = (now - self.opens_at + NOTHING) // self.seconds_per_post + 1.0
        return max(0.0, min(self.posts, steps))

    def drop_stale(self, now: float) -> None:
        """Count as used what opened FRESH_SECONDS ago or earlier."""
        since = now - FRESH_SECONDS
        if since >= self.received_at:
            self.used = max(self.used, self.opened(since))

    @property
    def unused(self) -> float:
        """How many posts are not used up, whether they have opened or not."""
        return self.posts - self.used

    def usable(self, now: float) -> float:
        """Return how many posts may go now."""
        return self.opened(now) - self.used if now + NOTHING >= self.next_at else 0.0

    @property
    def next_at(self) -> float:
        """When the next post may go."""
        return self.opens_at + (self.used + NOTHING) // 1.0 * self.seconds_per_post

    def opened_at(self, posts: float, now: float) -> float:
        """Return when `posts` of them will have opened, or all; infinite when all have by now."""
        if self.opened(now) >= self.posts:
            return math.inf
        return self.opens_at + (min(posts, self.posts) - 1.0) * self.seconds_per_post

    @property
    def last_at(self) -> float:
        """When the last post opens."""
        return self.opens_at + (self.posts - 1.0) * self.seconds_per_post
