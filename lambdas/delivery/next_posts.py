"""Which posts of a session start next on one thread: first tries, retries that are due, probes."""

from delivery.gate import PostGate
from delivery.post import Post
from delivery.retry_queue import RetryQueue
from delivery.session import DeliverySession

MAX_WAITING = 2_048
"""This many posts may wait for their next try before no new ones are taken: memory stays flat."""

PATIENCE_SECONDS = 1.0
"""A retry that has been due for less than this lets first tries go before it."""


class NextPosts:
    """Chooses from the session, which all threads share, and from its thread's own retries."""

    def __init__(self, session: DeliverySession, gate: PostGate, retries: RetryQueue) -> None:
        self._session = session
        self._gate = gate
        self._retries = retries
        self._is_retry_next = True
        self.retries_due = 0
        """How many retries could start now, as of the last look. Any thread may read it."""

    def ready(self, now: float) -> int:
        """Return how many posts might start now, if no other thread takes them."""
        self._retries.is_due(now)
        self.retries_due = self._retries.due
        return self.retries_due + (self._session.waiting if self._may_take_new else 0)

    def take(self, most: int, now: float) -> list[Post]:
        """Return up to `most` posts, in the order in which they are to start."""
        if self._gate.is_probing:
            return self._take_probes(most, now)
        posts = self._take_retries(most, now - self._patience_seconds)
        if self._may_take_new:
            posts += self._session.take_posts(most - len(posts))
        return posts + self._take_retries(most - len(posts), now)

    @property
    def _may_take_new(self) -> bool:
        return len(self._retries) < MAX_WAITING

    @property
    def _patience_seconds(self) -> float:
        """How long a retry must have been due to go before the first tries that wait."""
        return PATIENCE_SECONDS if self._session.waiting and self._may_take_new else 0.0

    def _take_retries(self, most: int, due_until: float) -> list[Post]:
        posts: list[Post] = []
        while len(posts) < most and self._retries.is_due(due_until):
            posts.append(self._retries.take())
        return posts

    def _take_probes(self, most: int, now: float) -> list[Post]:
        """Return up to `most` posts that probe: retries and first tries in turn."""
        posts: list[Post] = []
        while len(posts) < most and (post := self._next_probe(now)):
            post.is_probe = self._gate.probe()
            posts.append(post)
        return posts

    def _next_probe(self, now: float) -> Post | None:
        patience_seconds = 0.0 if self._is_retry_next else self._patience_seconds
        self._is_retry_next = not self._is_retry_next
        if self._retries.is_due(now - patience_seconds):
            return self._retries.take()
        return self._session.take_post() if self._may_take_new else None
