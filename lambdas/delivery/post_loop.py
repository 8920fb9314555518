"""One thread's part of a fan-out: starts posts, waits for their answers, and tries again.

Which posts come next is decided in next_posts.py, and what an answer means in judge.py.
"""

import math
from collections.abc import Iterable, Iterator

from broadcasting.clock import Clock
from delivery.fan_out import ForbiddenError
from delivery.gate import PostGate
from delivery.http.pool import HttpPool
from delivery.http.request import Request
from delivery.judge import Judge
from delivery.next_posts import NextPosts
from delivery.post import Post
from delivery.retry_queue import RetryQueue
from delivery.session import DeliverySession
from delivery.shared_pacer import SharedPacer
from delivery.signing import FrameSigner, SigningTemplate

_LONGEST_WAIT_SECONDS = 0.05
"""Time-outs are looked for this often. While the pacer holds up the posts, answers pile up until it
lets some go: to wake up for each one costs more than the answer itself."""

_SHORT_WAIT_SECONDS = 0.005
"""Another thread's posts are looked for this often. A paced thread sleeps no shorter, or until a
batch may go."""

_BATCH = 256
_BATCH_SECONDS = 0.01
"""Settlements are passed on when there are 256 of them, or after 10 ms if it does not sleep then:
each time costs a switch of threads."""


class PostLoop:
    """Makes posts of one session on one pool of HTTP connections."""

    def __init__(
        self,
        session: DeliverySession,
        gate: PostGate,
        signer: FrameSigner,
        pool: HttpPool[Post],
        *,
        retries: RetryQueue,
        judge: Judge,
        pacer: SharedPacer,
        clock: Clock,
    ) -> None:
        """Take the judge that adds to `retries`."""
        self.wants_posts = False
        """Whether it sleeps though it could post: to be woken when there is something to post."""
        self._session = session
        self._gate = gate
        self._signer = signer
        self._pool = pool
        self._retries = retries
        self._next = NextPosts(session, gate, retries)
        self._judge = judge
        self._pacer = pacer
        self._clock = clock
        self._is_held_up = False
        """Whether posts wait for the pacer alone, and for a time that is known: no answer would let
        any of them go. A grant that has not come yet must wake the loop."""
        self._expired_at = 0.0
        self._flushed_at = 0.0

    def drive(self) -> None:
        """Post until nothing is to be posted any more, or the time is over."""
        try:
            self._pool.poll(0)  # shows which idle connections have been closed meanwhile
            while not self._is_over():
                self._turn()
        finally:
            try:
                self._judge.end(self._pool.abandon(), self._clock.monotonic())
                self._flush()
            finally:
                self._session.leave()

    @property
    def retries_due(self) -> int:
        """How many retries could start now, as of the last look. Any thread may ask."""
        return self._next.retries_due

    def wake(self) -> None:
        """Have the loop look for new posts."""
        self.wants_posts = False
        self._pool.wake()

    def _is_over(self) -> bool:
        now, session = self._clock.monotonic(), self._session
        if self._gate.is_shut(now):
            return not self._pool.under_way or now >= self._gate.deadline
        return session.is_fed and not (session.waiting or self._retries or self._pool.under_way)

    def _turn(self) -> None:
        now = self._clock.monotonic()
        if not self._gate.is_shut(now):
            self._start_posts(now)
        wait_seconds = self._wait_seconds(now)
        if now - self._flushed_at >= _BATCH_SECONDS or self._judge.settled >= _BATCH:
            self._flushed_at = now
            self._flush()
        if self._is_held_up:
            self._clock.sleep(max(0.0, min(wait_seconds, self._gate.shuts_at - now)))
            wait_seconds = 0.0
        endings = self._pool.poll(wait_seconds, self._gate.deadline)
        self.wants_posts = False
        now = self._clock.monotonic()
        if now - self._expired_at >= _LONGEST_WAIT_SECONDS:
            self._expired_at = now
            endings += self._pool.expire()
        failures = self._pool.take_failures()
        if endings or failures:
            self._judge.judge(endings, failures, now)

    def _start_posts(self, now: float) -> None:
        # Before the breaker is asked: when it begins to probe, it leaves no place empty any more.
        self._pool.keep_empty(self._gate.empty_places)
        ready = self._gate.permits(self._next.ready(now), now)
        wanted = min(self._pool.room, ready)
        started = 0
        if wanted or (ready and not self._pool.under_way):
            try:
                template = self._signer.template(now)
            except ForbiddenError as error:
                self._gate.forbid(error.reason)
                return
            # Asked for none, too: so the pacer knows of the demand, and asks the budget ahead.
            admitted = self._pacer.admit(wanted)
            if admitted:
                started = self._start(admitted, template, now)
                self._pacer.started(admitted, started)
        self._open(ready - started)

    def _open(self, ready: int) -> None:
        """Open one more connection, if the posts that wait deserve it."""
        if not self._pool.may_open(ready):
            return
        self._gate.probe()
        try:
            self._pool.open()
        except OSError as error:
            self._judge.judge((), [error], self._clock.monotonic())

    def _start(self, admitted: int, template: SigningTemplate, now: float) -> int:
        """Start posts; return how many: another thread may have taken some."""
        posts = self._next.take(admitted, now)
        endings = self._pool.send(_signed(posts, template))
        if endings:
            self._judge.judge(endings, (), now)
        return len(posts)

    def _wait_seconds(self, now: float) -> float:
        self._is_held_up = False
        if self._gate.is_shut(now):
            return max(0.0, min(_LONGEST_WAIT_SECONDS, self._gate.deadline - now))
        self.wants_posts = True  # before the look: a post that is added after it wakes the loop
        ready = self._next.ready(now)
        self.wants_posts = self._pool.has_room or self._pool.lacks_connections(ready or 1)
        if ready:
            if self._pool.has_answered:
                return 0.0
            if self.wants_posts and (permitted := self._gate.permits(ready, now)):
                return self._paced_seconds(permitted)
            if self._pool.under_way or self._pool.is_opening:
                return _LONGEST_WAIT_SECONDS  # only an answer, or an open connection, makes room
            return _SHORT_WAIT_SECONDS  # other threads' connections open, and may take all there is
        return max(0.0, self._retries.due_at(now + _LONGEST_WAIT_SECONDS) - now)

    def _paced_seconds(self, ready: int) -> float:
        """Return how long to wait for the pace: as long as it holds up what there is room for."""
        longest = self._pacer.wait_seconds(ready)
        if not longest:
            return 0.0
        seconds = self._pacer.wait_seconds(min(ready, max(1, self._pool.room)))
        self._is_held_up = self._pool.has_room and 0.0 < seconds < math.inf
        if self._is_held_up:
            seconds = max(seconds, min(longest, _SHORT_WAIT_SECONDS))
        return min(seconds, _LONGEST_WAIT_SECONDS)

    def _flush(self) -> None:
        if self._judge.settled:
            self._session.return_results(self._judge.take_settled())


def _signed(posts: Iterable[Post], template: SigningTemplate) -> Iterator[tuple[Post, Request]]:
    """Sign posts one by one, as they leave."""
    for post in posts:
        post.tries += 1
        yield post, template.sign(post.connection.id)
