"""All granted posts that a worker holds."""

import math
from collections import deque

from broadcasting.pacing.held_grant import NOTHING, HeldGrant


class Grants:
    """Keeps the grants, the oldest first: its posts are the first to be lost.

    `returned` are granted posts that were taken and not posted. They may go at any time, but not
    after the end of their broadcast, as their age is not known.
    """

    def __init__(self) -> None:
        self.returned = 0.0
        self._held: deque[HeldGrant] = deque()

    def add(self, held: HeldGrant) -> None:
        """Hold one more grant."""
        self._held.append(held)

    def drop_stale(self, now: float) -> None:
        """Drop the posts that might have gone too long ago, and the grants that are used up."""
        for held in self._held:
            held.drop_stale(now)
        while self._held and self._held[0].unused < NOTHING:
            self._held.popleft()

    def is_opening(self, now: float) -> bool:
        """Tell whether posts of a grant open one after another just now."""
        return any(held.opens_at <= now and held.opened(now) < held.posts for held in self._held)

    def usable(self, now: float) -> float:
        """Return how many posts may go now."""
        usable = self.returned
        for held in self._held:  # a plain loop: this is the hot path
            usable += held.usable(now)
        return usable

    def spend(self, posts: float, now: float) -> float:
        """Use up posts that may go now; return how many of them there were not."""
        part = min(posts, self.returned)
        self.returned -= part
        posts -= part
        for held in self._held:
            if posts <= 0:
                return 0.0
            part = min(posts, held.usable(now))
            held.used += part
            posts -= part
        return posts

    def lacking(self, posts: float) -> float:
        """Return how many of these posts are not held; negative when more than these are."""
        posts -= self.returned
        for held in self._held:
            posts -= held.unused
        return posts

    def opens_more_at(self, posts: float, now: float) -> float:
        """Return when `posts` more of one grant, or all of it, may go; infinite without any."""
        at = (held.opened_at(held.opened(now) + posts, now) for held in self._held)
        return min(at, default=math.inf)

    def last_at(self) -> float | None:
        """Return when the last of all posts opens, None when there is none."""
        return max((held.last_at for held in self._held), default=None)
