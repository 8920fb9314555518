"""Feeds a session from its audience, and gathers what its threads have settled."""

import queue
from collections.abc import Iterator

from broadcasting.audience import Connection
from broadcasting.outcome import Outcome, Settlement
from delivery.fan_out import TICK_SECONDS
from delivery.post import Post
from delivery.post_loop import PostLoop
from delivery.session import DeliverySession

_FEWEST_TAKEN = 512
"""How many are taken at least before those who have ended are passed on: more than have ended
meanwhile. A slower audience must not let them pile up until it is at its end."""


class Feeder:
    """Takes connections from the audience as they are needed, and gathers how they end."""

    def __init__(
        self,
        session: DeliverySession,
        loops: list[PostLoop],
        audience: Iterator[Connection],
        most_fresh: int,
    ) -> None:
        self._session = session
        self._loops = loops
        self._audience = audience
        self._most_fresh = most_fresh
        self.error: Exception | None = None
        """What the audience raised, if it did."""

    def gather(self) -> Iterator[Settlement]:
        """Yield every connection's end, those that were not posted to as left."""
        running = len(self._loops)
        while running:
            self._feed()
            try:
                batch = self._session.settled.get(timeout=TICK_SECONDS)
            except queue.Empty:
                self._session.tick()
                continue
            if batch is None:
                running -= 1
            else:
                yield from batch
        for post in self._session.fresh:
            post.reason = post.reason or self._session.breaker.reason
            yield post.settle(Outcome.PENDING)

    def _feed(self) -> None:
        session, taken = self._session, 0
        session.wants_more = False
        while not self._has_enough(taken):
            self._take()
            taken += 1
            for loop in self._loops:
                if loop.wants_posts or session.is_fed:
                    loop.wake()

    def _has_enough(self, taken: int) -> bool:
        """Tell whether it is time to pass on who has ended."""
        session = self._session
        if session.is_fed or len(session.fresh) >= self._most_fresh:
            return True
        if session.is_stopped(session.clock.monotonic()):
            return True
        return taken >= _FEWEST_TAKEN and not session.settled.empty()

    def _take(self) -> None:
        try:
            self._session.fresh.append(Post(next(self._audience)))
            self._session.taken += 1
        except StopIteration:
            self._session.is_fed = True
        except Exception as error:  # noqa: BLE001 - raised when those taken have ended
            self.error = error
            self._session.is_fed = True
