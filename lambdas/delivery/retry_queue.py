"""Posts that wait for their next try."""

import heapq
from collections.abc import Iterator
from itertools import chain, count

from delivery.post import Post


class RetryQueue:
    """The earliest due first. Times are monotonic seconds. For one thread, but for `due`."""

    def __init__(self) -> None:
        self._waiting: list[tuple[float, int, Post]] = []
        self._due: list[tuple[float, int, Post]] = []
        self._order = count()

    def __len__(self) -> int:
        """Return how many wait, due or not."""
        return len(self._waiting) + len(self._due)

    def __iter__(self) -> Iterator[Post]:
        """Iterate over all that wait, in no order."""
        return (post for _, _, post in chain(self._due, self._waiting))

    @property
    def due(self) -> int:
        """How many were due when `is_due` was asked last. Any thread may read it."""
        return len(self._due)

    def add(self, post: Post, due_at: float) -> None:
        """Have a post wait."""
        heapq.heappush(self._waiting, (due_at, next(self._order), post))

    def is_due(self, now: float) -> bool:
        """Tell whether one may be tried again. The next call may ask for an earlier time."""
        while self._waiting and self._waiting[0][0] <= now:
            heapq.heappush(self._due, heapq.heappop(self._waiting))
        return bool(self._due) and self._due[0][0] <= now

    def take(self) -> Post:
        """Return the one that is due first; `is_due` has told that there is one."""
        return heapq.heappop(self._due)[2]

    def due_at(self, latest: float) -> float:
        """Return when the next one is due, `latest` at the latest."""
        firsts = [heap[0][0] for heap in (self._due, self._waiting) if heap]
        return min([latest, *firsts])
