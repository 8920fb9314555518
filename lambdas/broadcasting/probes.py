"""Probes of an endpoint that seems not to answer: a few posts at a time, then a longer pause."""

from collections import deque
from collections.abc import Iterable


class Probes:
    """Groups of probes, one at each of some times; each group is judged by itself.

    Times are in monotonic seconds. `remaining` counts the probes of the present group that may
    still go.
    """

    def __init__(self, times: Iterable[float], *, at_once: int) -> None:
        self.remaining = 0
        self._times = deque(times)
        self._at_once = at_once
        self._answered = self._in_vain = 0

    def look(self, now: float) -> None:
        """Begin the next group if it is time."""
        while self._times and now >= self._times[0]:
            self._times.popleft()
            self.remaining = self._at_once
            self._answered = self._in_vain = 0

    def use_up(self) -> None:
        """Let a probe go."""
        self.remaining = max(0, self.remaining - 1)

    def observe(self, answered: int, in_vain: int) -> bool:
        """Take what probes came to; tell whether at least half of the group was answered."""
        self._answered += answered
        self._in_vain += in_vain
        return self._answered > 0 and self._answered >= self._in_vain
