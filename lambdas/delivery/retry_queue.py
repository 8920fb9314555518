"""Posts that wait for their next try."""

import heapq
from collections.abc import Iterator
from itertools import count

from delivery.post import Post


class RetryQueue:
    """The earliest due first. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Post]] = []
        self._order = count()

    def __len__(self) -> int:
        """Return how many wait, due or not."""
        return len(self._heap)

    def __iter__(self) -> Iterator[Post]:
        """Iterate over all that wait, in no order."""
        return (post for _, _, post in self._heap)

    def add(self, post: Post, due_at: float) -> None:
        """Have a post wait."""
        heapq.heappush(self._heap, (due_at, next(self._order), post))

    def is_due(self, now: float) -> bool:
        """Tell whether one may be tried again."""
        return bool(self._heap) and self._heap[0][0] <= now

    def take(self) -> Post:
        """Return the one that is due first; there is one at least."""
        return heapq.heappop(self._heap)[2]

    def due_at(self, latest: float) -> float:
        """Return when the next one is due, `latest` at the latest."""
        return min(self._heap[0][0], latest) if self._heap else latest
