"""One call of `deliver`: what its caller's thread and its posting threads hand to each other."""

import queue
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from threading import Lock

from broadcasting.connection import Connection
from broadcasting.outcome import Settlement
from delivery.fan_out import TICK_SECONDS
from delivery.post import Post


class DeliverySession:
    """The caller's thread adds connections and waits for results; posting threads do all else.

    Each posting thread takes posts, returns results, and leaves in the end.
    """

    def __init__(self, *, threads: int, fewest_waiting: int, tick: Callable[[], None]) -> None:
        """Take the number of posting threads, and what to do while there are no results.

        More connections are asked for when fewer than `fewest_waiting` posts wait.
        """
        self._fewest_waiting = fewest_waiting
        self._tick = tick
        self._waiting: deque[Post] = deque()
        self._results: queue.SimpleQueue[Sequence[Settlement]] = queue.SimpleQueue()
        """Results in batches. One without results only wakes the caller's thread."""
        self._posting_threads = threads
        self._has_asked = False
        """Whether the caller's thread has been woken to add connections."""
        self._lock = Lock()
        self.is_fed = False
        """Whether no connection will be added any more. Set by `end_audience` alone."""

    @property
    def waiting(self) -> int:
        """How many posts no thread has taken yet."""
        return len(self._waiting)

    # The caller's thread

    def begin_to_feed(self) -> None:
        """Take note that connections are about to be added: posting threads may ask anew."""
        self._has_asked = False

    def add(self, connection: Connection) -> None:
        """Have a connection posted to."""
        self._waiting.append(Post(connection))

    def end_audience(self) -> None:
        """Take note that no connection will be added any more."""
        self.is_fed = True

    @property
    def has_results(self) -> bool:
        """Whether `wait_for_results` returns at once."""
        return not self._results.empty()

    def wait_for_results(self) -> Sequence[Settlement]:
        """Return the next results; none when a posting thread asks for connections, or leaves.

        When nothing has come for 0.1 s, the session's `tick` is called.
        """
        try:
            return self._results.get(timeout=TICK_SECONDS)
        except queue.Empty:
            self._tick()
            return ()

    @property
    def is_over(self) -> bool:
        """Whether all posting threads have ended, and all their results have been returned."""
        return not self._posting_threads and self._results.empty()

    def take_back(self) -> Iterator[Post]:
        """Yield the posts that no thread has taken."""
        while self._waiting:
            yield self._waiting.popleft()

    # The posting threads

    def take_posts(self, most: int) -> list[Post]:
        """Return up to `most` posts that were never made; ask for more connections in time."""
        posts: list[Post] = []
        with suppress(IndexError):  # another thread took the last one
            while len(posts) < most:
                posts.append(self._waiting.popleft())
        if len(self._waiting) < self._fewest_waiting and not self._has_asked:
            self._has_asked = True
            self._results.put(())
        return posts

    def take_post(self) -> Post | None:
        """Return a post that was never made, None if there is none."""
        return next(iter(self.take_posts(1)), None)

    def return_results(self, results: Sequence[Settlement]) -> None:
        """Hand over how some connections have ended."""
        self._results.put(results)

    def leave(self) -> None:
        """Take note that a posting thread has returned its last results."""
        with self._lock:
            self._posting_threads -= 1
        self._results.put(())
