"""Whether posts of one session may start: by its deadline, its caller's watch and the breaker."""

import math
from threading import Lock

from broadcasting.breaker import PROBES_AT_ONCE
from delivery.answers import Batch
from delivery.fan_out import LAST_ANSWERS_SECONDS, Watch

_LAST_ANSWERS_SHARE = 0.25
"""The part of the time that is kept for the last answers where there is little time."""


class PostGate:
    """Asked before posts start, and told what they came to. Any thread may do both.

    The pace is not its affair. Times are monotonic seconds.
    """

    def __init__(
        self,
        watch: Watch,
        *,
        deadline: float,
        now: float,
        places: float = math.inf,
        threads: int = 1,
    ) -> None:
        """Take how many posts the threads may have under way at once: `places`."""
        last_answers = min(LAST_ANSWERS_SECONDS, _LAST_ANSWERS_SHARE * max(0.0, deadline - now))
        self.deadline = deadline
        """Until when answers are waited for."""
        self._last_post_at = min(deadline - last_answers, watch.stop_at)
        self._watch = watch
        self._breaker = watch.breaker
        self._breaker.begin(places, threads=threads)
        self._audience_size = math.inf
        self._ended = 0
        self._lock = Lock()

    def is_shut(self, now: float) -> bool:
        """Tell whether no post is started any more."""
        return now >= self._last_post_at or self._breaker.is_open

    @property
    def shuts_at(self) -> float:
        """Until when posts may start, if nothing else stops them."""
        return self._last_post_at

    @property
    def is_probing(self) -> bool:
        """Whether the posts that start now, if any may, are probes."""
        return not self._breaker.is_closed

    @property
    def reason(self) -> str:
        """What the posts were answered that the breaker has stopped, or is about to stop."""
        return self._breaker.reason

    @property
    def empty_places(self) -> int:
        """How many fewer posts than usual each thread may have under way: some were lost."""
        return self._breaker.empty_places

    def wants(self, waiting: int, now: float) -> int:
        """Return how much of a pace to ask for when `waiting` posts wait: a few while probing."""
        if self.is_shut(now) or now >= self._watch.pause_at:
            return 0
        return waiting if self._breaker.is_closed else min(waiting, PROBES_AT_ONCE)

    def permits(self, wanted: int, now: float) -> int:
        """Return how many of the wanted posts may start."""
        if now >= self._watch.pause_at:
            return 0
        if self._breaker.is_closed:
            return wanted
        with self._lock:
            return self._breaker.permits(wanted, now)

    def probe(self) -> bool:
        """Take note that a post, or a connection, starts; tell whether it is a probe."""
        if self._breaker.is_closed:
            return False
        with self._lock:
            return self._breaker.probe()

    def observe(self, batch: Batch, *, ended: int, now: float) -> None:
        """Take what has come; `ended` connections have ended by it."""
        with self._lock:
            self._ended += ended
            if batch.is_all_answered and self._breaker.observe_answered(batch.answered):
                return
            pending = self._audience_size - self._ended
            self._breaker.observe(batch.observed(), pending=pending, now=now)

    def expect(self, connections: int) -> None:
        """Take note of how many connections the audience had, once it is at its end."""
        self._audience_size = connections

    def abandon(self, posts: int) -> None:
        """Take note of posts that were not answered when the time was up."""
        with self._lock:
            self._breaker.abandon(posts)

    def forbid(self, reason: str) -> None:
        """Stop posting: there is nothing to sign posts with."""
        with self._lock:
            self._breaker.forbid(reason)

    def cancel(self, now: float) -> None:
        """Stop at once, without waiting for answers."""
        self.deadline = self._last_post_at = now
