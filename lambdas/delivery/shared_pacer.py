"""The pacer of all the threads of a fan-out."""

from collections.abc import Callable
from threading import Lock

from broadcasting.pacer import Pacer


class SharedPacer:
    """A pacer that any thread may ask."""

    def __init__(self, pacer: Pacer, monotonic: Callable[[], float]) -> None:
        self._pacer = pacer
        self._monotonic = monotonic
        self._lock = Lock()

    def admit(self, wanted: int) -> int:
        """Return how many of the wanted posts may go now."""
        with self._lock:
            return self._pacer.admit(wanted, self._monotonic())

    def give_back(self, posts: int) -> None:
        """Take back what was admitted and not posted."""
        with self._lock:
            self._pacer.give_back(posts)

    def hear(self, answers: int, throttled: int) -> None:
        """Take answers into account: see `Pacer.hear`."""
        with self._lock:
            self._pacer.hear(answers, throttled, self._monotonic())

    def wait_seconds(self) -> float:
        """Return how long it takes until the next post may go."""
        with self._lock:
            return self._pacer.wait_seconds()
