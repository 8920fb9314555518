"""One call of `deliver`, as the threads that serve it share it."""

import math
import queue
from collections import deque
from threading import Lock
from typing import TYPE_CHECKING

from broadcasting.breaker import PROBES_AT_ONCE
from broadcasting.clock import Clock, Jitter
from broadcasting.retry import Backoff
from delivery.fan_out import LAST_ANSWERS_SECONDS, Watch
from delivery.post import Post
from delivery.shared_pacer import SharedPacer
from delivery.signing import Signer, SigningTemplate

if TYPE_CHECKING:
    from broadcasting.outcome import Settlement
    from delivery.answers import Batch

_LAST_ANSWERS_SHARE = 0.25
"""The part of the time that is left for the last answers where there is little time."""

TEMPLATE_SECONDS = 60.0
"""How long one signing template serves: AWS takes signatures that are up to 5 minutes old."""


class DeliverySession:
    """What is to be posted, what has ended, and when to stop."""

    def __init__(
        self,
        payload: bytes,
        *,
        deadline: float,
        watch: Watch,
        fewest_fresh: int,
        clock: Clock,
        jitter: Jitter,
        signer: Signer,
        pacer: SharedPacer,
        backoff: Backoff,
    ) -> None:
        now = clock.monotonic()
        self.clock = clock
        self.jitter = jitter
        self.pacer = pacer
        self.backoff = backoff
        self.deadline = deadline
        self.fresh: deque[Post] = deque()
        self.is_fed = False
        """Whether nobody will be added to `fresh` any more."""
        self.taken = 0
        """How many connections have been taken from the audience."""
        self.fewest_fresh = fewest_fresh
        self.wants_more = False
        """Whether the feeder has been asked for more, by an empty batch in `settled`."""
        self.settled: queue.SimpleQueue[list[Settlement] | None] = queue.SimpleQueue()
        """Settlements in batches, and None from each thread that has ended."""
        self.breaker = watch.breaker
        self._watch = watch
        self._ended = 0
        self._lock = Lock()
        last_answers = min(LAST_ANSWERS_SECONDS, _LAST_ANSWERS_SHARE * max(0.0, deadline - now))
        self._last_post_at = min(deadline - last_answers, watch.stop_at)
        self._payload = payload
        self._signer = signer
        self._template: SigningTemplate | None = None
        self._template_until = now

    def is_stopped(self, now: float) -> bool:
        """Whether no post is started any more."""
        return now >= self._last_post_at or self.breaker.is_open

    def wants(self, waiting: int, now: float) -> int:
        """Return how much of a pace to ask for, if that many posts wait: a few while probing."""
        if self.is_stopped(now) or now >= self._watch.pause_at:
            return 0
        return waiting if self.breaker.is_closed else min(waiting, PROBES_AT_ONCE)

    def permits(self, wanted: int, now: float) -> int:
        """Return how many of the wanted posts may start, the pace aside."""
        if now >= self._watch.pause_at:
            return 0
        if self.breaker.is_closed:
            return wanted
        with self._lock:
            return self.breaker.permits(wanted, now)

    def probe(self) -> bool:
        """Note that something starts; tell whether it is a probe."""
        if self.breaker.is_closed:
            return False
        with self._lock:
            return self.breaker.probe()

    def observe(self, batch: "Batch", *, ended: int, now: float) -> None:
        """Take what has come; so many connections have ended by it."""
        with self._lock:
            self._ended += ended
            if batch.is_all_answered and self.breaker.observe_answered(batch.answered):
                return
            left = self.taken - self._ended if self.is_fed else math.inf
            self.breaker.observe(batch.observed(), left=left, now=now)

    def abandon(self, posts: int) -> None:
        """Take so many posts that were not answered when the time was up."""
        with self._lock:
            self.breaker.abandon(posts)

    def forbid(self, reason: str) -> None:
        """Stop posting: there is nothing to sign posts with."""
        with self._lock:
            self.breaker.forbid(reason)

    def take_fresh(self) -> Post | None:
        """Return somebody who was not posted to yet; ask for more in time."""
        try:
            post = self.fresh.popleft()
        except IndexError:
            return None
        if len(self.fresh) < self.fewest_fresh and not self.wants_more:
            self.wants_more = True
            self.settled.put([])
        return post

    def tick(self) -> None:
        """Let the caller do what it has to do from time to time."""
        self._watch.tick()

    def cancel(self) -> None:
        """Stop at once, without waiting for answers."""
        self.deadline = self._last_post_at = self.clock.monotonic()

    def template(self, now: float) -> SigningTemplate:
        """Return what signs the posts of this minute. Raises ForbiddenError."""
        if self._template is None or now >= self._template_until:
            self._template = self._signer.template(self._payload, self.clock.epoch_ms() / 1000)
            self._template_until = now + TEMPLATE_SECONDS
        return self._template
