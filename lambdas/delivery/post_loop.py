"""One thread's part of a fan-out: starts posts, judges their answers, and tries again."""

from broadcasting.outcome import Outcome, Settlement, Verdict, verdict_of
from delivery.answers import Batch
from delivery.fan_out import ForbiddenError
from delivery.http.connection import Ending, NotProcessedError, Response
from delivery.http.pool import HttpPool
from delivery.post import Post
from delivery.retry_queue import RetryQueue
from delivery.session import DeliverySession
from delivery.signing import SigningTemplate

MAX_WAITING = 2_048
"""How many posts may wait for their next try before no fresh ones are taken: memory stays flat."""

MAX_REPEATS = 3
"""How often one post may meet a connection that the server has just closed."""

PATIENCE_SECONDS = 1.0
"""How long first tries go before repeated ones that are due."""

_LONGEST_WAIT_SECONDS = 0.05
"""How often time-outs are looked for."""

_REST_SECONDS = 0.005
"""How long answers are let pile up at most, while the pacer holds up the posts: waking up for each
costs more than it."""

_BATCH = 256
_BATCH_SECONDS = 0.01
"""Settlements are passed on so many at once, or so often: each time costs a switch of threads."""

_SHOWN_BYTES = 200
DELIVERED, TOO_MANY = 200, 429


class PostLoop:
    """Carries the posts of one session on one pool of HTTP connections."""

    def __init__(self, session: DeliverySession, pool: HttpPool[Post]) -> None:
        self.wants_posts = False
        """Whether it sleeps though it could post: to be woken when there is something to post."""
        self.retries_due = 0
        """How many repeated posts could start now, as of the last look. Any thread may read it."""
        self._session = session
        self._pool = pool
        self._clock = session.clock
        self._waiting = RetryQueue()
        self._settled: list[Settlement] = []
        self._expired_at = 0.0
        self._flushed_at = 0.0
        self._is_retry_next = True

    def drive(self) -> None:
        """Post until nothing is left to post, or the time is over; leave what is left then."""
        try:
            self._pool.poll(0)  # shows which idle connections have been closed meanwhile
            while not self._is_over():
                self._turn()
        finally:
            try:
                self._leave()
            finally:
                self._session.settled.put(None)

    def wake(self) -> None:
        """Have the loop look for fresh posts."""
        self.wants_posts = False
        self._pool.wake()

    def _is_over(self) -> bool:
        now, session = self._clock.monotonic(), self._session
        if session.is_stopped(now):
            return not self._pool.under_way or now >= session.deadline
        return session.is_fed and not (session.fresh or self._waiting or self._pool.under_way)

    def _turn(self) -> None:
        now = self._clock.monotonic()
        if not self._session.is_stopped(now):
            self._start_posts(now)
        wait_seconds = self._wait_seconds(now)
        if now - self._flushed_at >= _BATCH_SECONDS or len(self._settled) >= _BATCH:
            self._flushed_at = now
            self._flush()
        if 0 < wait_seconds <= _REST_SECONDS and self._is_held_up(now):
            self._clock.sleep(wait_seconds)
            wait_seconds = 0.0
        endings = self._pool.poll(wait_seconds, self._session.deadline)
        self.wants_posts = False
        now = self._clock.monotonic()
        if now - self._expired_at >= _LONGEST_WAIT_SECONDS:
            self._expired_at = now
            endings += self._pool.expire()
        failures = self._pool.take_failures()
        if endings or failures:
            self._take(endings, failures, now)

    def _start_posts(self, now: float) -> None:
        ready = self._session.permits(self._ready(now), now)
        wanted = min(self._pool.room, ready)
        started = 0
        if wanted or (ready and not self._pool.under_way):
            try:
                template = self._session.template(now)
            except ForbiddenError as error:
                self._session.forbid(error.reason)
                return
            admitted = self._session.pacer.admit(
                wanted
            )  # of none: has the budget asked ahead of need
            if admitted:
                started = self._start(admitted, template, now)
                self._session.pacer.started(admitted, started)
        self._open(ready - started)

    def _open(self, ready: int) -> None:
        """Open one more connection, if the posts that wait deserve it."""
        if not self._pool.may_open(ready):
            return
        self._session.probe()
        try:
            self._pool.open()
        except OSError as error:
            self._take([], [error], self._clock.monotonic())

    def _start(self, admitted: int, template: SigningTemplate, now: float) -> int:
        """Start posts; return how many."""
        for started in range(admitted):
            post = self._next_post(now)
            if post is None:  # another thread took it
                return started
            post.tries += 1
            post.is_probe = self._session.probe()
            endings = self._pool.send(post, template.sign(post.connection.id))
            if endings:
                self._take(endings, [], now)
        return admitted

    def _ready(self, now: float) -> int:
        """Return how many posts might start now, if no other thread takes them."""
        self._waiting.is_due(now)
        self.retries_due = self._waiting.due
        return self.retries_due + (len(self._session.fresh) if self._may_take_fresh else 0)

    @property
    def _may_take_fresh(self) -> bool:
        return len(self._waiting) < MAX_WAITING

    def _next_post(self, now: float) -> Post | None:
        patience = PATIENCE_SECONDS if self._session.fresh and self._may_take_fresh else 0.0
        if not self._session.breaker.is_closed:  # probes are of both kinds
            patience *= not self._is_retry_next
            self._is_retry_next = not self._is_retry_next
        if self._waiting.is_due(now - patience):
            return self._waiting.take()
        return self._session.take_fresh() if self._may_take_fresh else None

    def _wait_seconds(self, now: float) -> float:
        if self._session.is_stopped(now):
            return max(0.0, min(_LONGEST_WAIT_SECONDS, self._session.deadline - now))
        ready = self._ready(now)
        self.wants_posts = self._pool.has_room or self._pool.lacks_connections(ready or 1)
        if ready:
            if self._pool.has_answered:
                return 0.0
            if self.wants_posts and self._session.permits(1, now):
                return min(_LONGEST_WAIT_SECONDS, self._session.pacer.wait_seconds())
            if self._pool.under_way or self._pool.is_opening:
                return _LONGEST_WAIT_SECONDS  # only an answer, or an open connection, makes room
            return _REST_SECONDS  # another thread's connections open: it may take all there is
        return max(0.0, self._waiting.due_at(now + _LONGEST_WAIT_SECONDS) - now)

    def _is_held_up(self, now: float) -> bool:
        """Tell whether it is the pacer that posts wait for: an answer would let none of them go."""
        return self._pool.has_room and bool(self._ready(now)) and not self._session.is_stopped(now)

    def _take(self, endings: list[Ending[Post]], failures: list[Exception], now: float) -> None:
        """Judge what ended, and tell the breaker and the pacer what was heard."""
        answers = throttled = 0
        batch, settled = Batch(), len(self._settled)
        for post, result in endings:
            if not isinstance(result, Response):
                self._judge_loss(post, result, batch, now)
                continue
            if result.status == DELIVERED and not post.is_probe:  # the hot path
                batch.answered += 1
                answers += 1
                self._settled.append(
                    Settlement(post.connection, Outcome.DELIVERED, post.tries, post.throttles)
                )
                continue
            was_throttled = post.throttles or post.connection.rounds
            is_first_throttle = result.status == TOO_MANY and not was_throttled
            answers += is_first_throttle or result.status != TOO_MANY
            throttled += is_first_throttle
            self._judge_response(post, result, batch, now)
        for error in failures:
            batch.add_unopened(_shown(error))
        self._session.observe(batch, ended=len(self._settled) - settled, now=now)
        if answers:
            self._session.pacer.observe(answers, throttled)

    def _judge_response(self, post: Post, answer: Response, batch: Batch, now: float) -> None:
        if answer.status == DELIVERED:
            self._judge(post, Verdict.DELIVERED, "", batch, now)
            return
        young = post.connection.is_young(self._clock.epoch_ms())
        shown = answer.body[:_SHOWN_BYTES].decode(errors="replace")
        verdict = verdict_of(answer.status, young=young)
        self._judge(post, verdict, f"{answer.status} {shown}", batch, now)

    def _judge_loss(self, post: Post, error: Exception, batch: Batch, now: float) -> None:
        """Judge a post that has no answer; one that was not processed is no try."""
        if isinstance(error, NotProcessedError) and post.repeats < MAX_REPEATS:
            post.repeats += 1
            post.tries -= 1
            self._waiting.add(post, now)
            return
        self._judge(post, Verdict.LOST, _shown(error), batch, now)

    def _judge(self, post: Post, verdict: Verdict, reason: str, batch: Batch, now: float) -> None:
        outcome = post.judge(verdict, reason, self._session.backoff)
        batch.add(post, verdict, reason)
        if outcome is not None:
            self._settled.append(post.settle(outcome))
            return
        seconds = self._session.backoff.seconds(post.tries, self._session.jitter())
        self._waiting.add(post, now + seconds)

    def _leave(self) -> None:
        """Settle as left whatever has not ended."""
        now = self._clock.monotonic()
        batch, abandoned = Batch(), 0
        for post, answer in self._pool.abandon():
            if isinstance(answer, Exception):
                abandoned += 1
                post.abandon()
                self._waiting.add(post, now)
            else:
                self._judge_response(post, answer, batch, now)
        for post in self._waiting:
            post.reason = post.reason or self._session.breaker.reason
            self._settled.append(post.settle(Outcome.PENDING))
        self._session.observe(batch, ended=0, now=now)
        self._session.abandon(abandoned)
        self._flush()

    def _flush(self) -> None:
        if self._settled:
            self._session.settled.put(self._settled)
            self._settled = []


def _shown(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
