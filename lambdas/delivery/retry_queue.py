"""Posts that wait until they are tried again."""

import heapq
from collections.abc import Iterator
from itertools import chain, count

from delivery.post import Post


class RetryQueue:
    """A queue in the order of due times, in monotonic seconds. For one thread, except `due`."""

    def __init__(self) -> None:
        self._waiting: list[tuple[float, int, Post]] = []
        self._due: list[tuple[float, int, Post]] = []
        self._order = count()

    def __len__(self) -> int:
        """Return how many posts wait, due or not."""
        return len(self._waiting) + len(self._due)

    def __iter__(self) -> Iterator[Post]:
        """Iterate over all posts, in no order."""
        return (post for _, _, post in chain(self._due, self._waiting))

    @property
    def due(self) -> int:
        """How many posts were due when `is_due` was last asked. Any thread may read it."""
        return len(self._due)

    def add(self, post: Post, due_at: float) -> None:
        """Have a post wait."""
        heapq.heappush(self._waiting, (due_at, next(self._order), post))

    def is_due(self, now: float) -> bool:
        """Tell whether a post is due at `now`. The next call may ask for an earlier time."""
        while self._waiting and self._waiting[0][0] <= now:
            heapq.heappush(self._due, heapq.heappop(self._waiting))
        return bool(self._due) and self._due[0][0] <= now

    def take(self) -> Post:
        """Return the post that is due first; `is_due` must have told that there is one."""
        return heapq.heappop(self._due)[2]

    def due_at(self, latest: float) -> float:
        """Return when the next post is due, or `latest` if that is earlier."""
        firsts = [heap[0][0] for heap in (self._due, self._waiting) if heap]
        return min([latest, *firsts])
