"""The script of a behaviour: which reaction each post gets."""

import time
from collections.abc import Callable, Iterator
from itertools import cycle
from random import Random

from testbed.stand_in.behaviour import Behaviour
from testbed.stand_in.errors import error_answer
from testbed.stand_in.reaction import Answer, Post, Reaction, Reset
from testbed.stand_in.token_bucket import TokenBucket

_LATENCIES = 4096
"""This many latencies are drawn once, then used in turn: drawing costs more than posting."""


class BehaviourScript:
    """Chooses reactions as a behaviour says; its bucket is full at first.

    The reactions are made beforehand, because choosing is the hot path.
    """

    def __init__(
        self, behaviour: Behaviour, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._behaviour = behaviour
        self._monotonic = monotonic
        self._random = Random(behaviour.seed)  # noqa: S311 - repeatable, not secret
        latencies = _latencies(behaviour, self._random)
        self._delivered = cycle([Answer(200, delay_seconds=one) for one in latencies])
        self._gone = _errors(latencies, 410)
        self._throttled = _errors(latencies, 429)
        self._forbidden = _errors(latencies, 403)
        self._server_errors = _errors(latencies, 500, 503)
        self._resets = cycle(Reset(delay_seconds=one) for one in latencies)
        self._bucket = self._new_bucket()
        self._has_lost = bool(
            behaviour.gone_share or behaviour.full_buffer_share or behaviour.forbidden_share
        )
        self._has_faults = bool(behaviour.server_error_share or behaviour.reset_share)

    def __call__(self, post: Post) -> Reaction:
        """Return what happens to one post."""
        if self._bucket is not None and not self._bucket.take(self._monotonic()):
            return next(self._throttled)
        if self._has_lost:
            if self._behaviour.is_forbidden(post.connection_id):
                return next(self._forbidden)
            if self._behaviour.is_gone(post.connection_id):
                return next(self._gone)
            if self._behaviour.is_full(post.connection_id):
                return next(self._throttled)
        return self._fault() if self._has_faults else next(self._delivered)

    def _fault(self) -> Reaction:
        dice = self._random.random()
        if dice < self._behaviour.reset_share:
            return next(self._resets)
        if dice < self._behaviour.reset_share + self._behaviour.server_error_share:
            return next(self._server_errors)
        return next(self._delivered)

    def _new_bucket(self) -> TokenBucket | None:
        rate, burst = self._behaviour.quota_posts_per_second, self._behaviour.quota_burst
        return TokenBucket(rate, burst, self._monotonic()) if rate else None


def _latencies(behaviour: Behaviour, random: Random) -> list[float]:
    median, sigma = behaviour.latency_median_seconds, behaviour.latency_sigma
    return [median * random.lognormvariate(0.0, sigma) for _ in range(_LATENCIES)]


def _errors(latencies: list[float], *statuses: int) -> Iterator[Reaction]:
    """Return error answers in turn, each made when it is first needed."""
    pairs = zip(latencies, cycle(statuses), strict=False)
    return cycle(error_answer(status, delay_seconds=one) for one, status in pairs)
