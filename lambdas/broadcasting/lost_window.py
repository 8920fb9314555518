"""A window over the last posts of a round, which tells whether most of them were lost."""

from collections import deque


class LostWindow:
    """The last posts, in the batches that they came in: at least `least_posts` once there are."""

    def __init__(self, least_posts: int) -> None:
        self.lost = 0
        """How many posts of the window were lost."""
        self._least_posts = least_posts
        self._posts = 0
        self._batches: deque[tuple[int, int]] = deque()

    def add(self, posts: int, lost: int) -> None:
        """Take a batch of posts, and drop the oldest batches that are not needed any more."""
        self._batches.append((posts, lost))
        self._posts += posts
        self.lost += lost
        while self._batches and self._posts - self._batches[0][0] >= self._least_posts:
            posts, lost = self._batches.popleft()
            self._posts -= posts
            self.lost -= lost

    def clear(self) -> None:
        """Begin anew."""
        self._batches.clear()
        self._posts = self.lost = 0

    @property
    def is_mostly_lost(self) -> bool:
        """Whether most posts were lost, of a window that is full."""
        return 2 * self.lost > self._posts >= self._least_posts
