"""Feeds a session from its audience, and gathers what its threads return."""

from collections.abc import Iterator, Sequence
from itertools import islice

from broadcasting.clock import Clock
from broadcasting.outcome import Outcome, Settlement
from delivery.fan_out import Audience
from delivery.gate import PostGate
from delivery.post_loop import PostLoop
from delivery.session import DeliverySession

_TAKEN_AT_ONCE = 16
"""This many connections are taken before it is asked whether they are enough."""

_FEWEST_TAKEN = 512
"""At least this many connections are taken before results are passed on: more than end in that
time. With a slower audience results must not pile up until the audience is at its end."""


class Feeder:
    """Takes connections from the audience as they are needed; runs in the caller's thread."""

    def __init__(
        self,
        session: DeliverySession,
        gate: PostGate,
        loops: Sequence[PostLoop],
        audience: Audience,
        *,
        most_waiting: int,
        clock: Clock,
    ) -> None:
        self._session = session
        self._gate = gate
        self._loops = loops
        self._audience = audience
        self._most_waiting = most_waiting
        self._clock = clock
        self._taken = 0
        self.error: Exception | None = None
        """What the audience raised, if it did."""

    def gather(self) -> Iterator[Settlement]:
        """Yield how each connection has ended; those that no thread has taken are pending."""
        while not self._session.is_over:
            self._feed()
            yield from self._session.wait_for_results()
        for post in self._session.take_back():
            post.reason = post.reason or self._gate.reason
            yield post.settle(Outcome.PENDING)

    def demand(self) -> int:
        """Return how many posts to ask for of the pace. Any thread may ask."""
        due = sum(loop.retries_due for loop in self._loops)
        waiting = self._session.waiting + self._audience.to_come + due
        return self._gate.wants(waiting, self._clock.monotonic())

    def _feed(self) -> None:
        before = self._taken
        self._session.begin_to_feed()
        while not self._has_enough(self._taken - before):
            self._take_some()

    def _has_enough(self, taken: int) -> bool:
        """Tell whether it is time to pass on results."""
        session = self._session
        if session.is_fed or session.waiting >= self._most_waiting:
            return True
        if self._gate.is_shut(self._clock.monotonic()):
            return True
        return taken >= _FEWEST_TAKEN and session.has_results

    def _take_some(self) -> None:
        """Add the next connections; the one before the end, or before an error, is the last."""
        wanted = min(_TAKEN_AT_ONCE, self._most_waiting - self._session.waiting)
        enough = self._taken + wanted
        try:
            for connection in islice(self._audience, wanted):
                self._taken += 1
                self._session.add(connection)
                self._wake()
        except Exception as error:  # noqa: BLE001 - raised when those taken have ended
            self.error = error
        if self._taken < enough:
            self._gate.expect(self._taken)
            self._session.end_audience()
            self._wake(all_of_them=True)

    def _wake(self, *, all_of_them: bool = False) -> None:
        for loop in self._loops:
            if loop.wants_posts or all_of_them:
                loop.wake()
