"""Judges what became of posts: a settlement, or another try; the breaker and the pacer are told."""

import math
from collections.abc import Sequence

from broadcasting.clock import Clock, Jitter
from broadcasting.outcome import Outcome, Settlement, Verdict, verdict_of
from broadcasting.retry import Backoff
from delivery.answers import Batch
from delivery.gate import PostGate
from delivery.http.connection import Ending, IdleClosedError, NotProcessedError, Response
from delivery.post import Post
from delivery.retry_queue import RetryQueue
from delivery.shared_pacer import SharedPacer

REPEATS_AT_ONCE = 3
"""How often one post is repeated at once when the server has not processed it."""

REPEATS_UNANSWERED = 16
"""How often in all, with backoff, while the server says so and answers no other post: the breaker
is told of it."""

MAX_REPEATS = 128
"""How often in all, with backoff, while the server says so and answers other posts: a server that
leaves after each answer leaves the other posts of a connection, up to 127, as they were."""

_BEFORE_ALL = -math.inf
"""When a post is due that goes before those that wait."""

_SHOWN_BYTES = 200
_DELIVERED, _TOO_MANY = 200, 429


class Judge:
    """Judges for one thread. Posts to be tried again go to `retries`."""

    def __init__(
        self,
        gate: PostGate,
        retries: RetryQueue,
        *,
        pacer: SharedPacer,
        backoff: Backoff,
        clock: Clock,
        jitter: Jitter,
    ) -> None:
        self._gate = gate
        self._retries = retries
        self._pacer = pacer
        self._backoff = backoff
        self._clock = clock
        self._jitter = jitter
        self._settled: list[Settlement] = []
        self._responses = 0
        """How many responses have come, without those of posts that are throttled for long."""

    @property
    def settled(self) -> int:
        """How many settlements `take_settled` would return."""
        return len(self._settled)

    def take_settled(self) -> list[Settlement]:
        """Return the settlements since the last call."""
        settled, self._settled = self._settled, []
        return settled

    def judge(
        self, endings: Sequence[Ending[Post]], failures: Sequence[Exception], now: float
    ) -> None:
        """Take posts that have ended, and why HTTP connections could not be opened."""
        answers = throttled = 0
        batch, settled = Batch(), len(self._settled)
        for post, result in endings:
            if not isinstance(result, Response):
                self._judge_loss(post, result, batch, now)
                continue
            if result.status == _DELIVERED and not post.is_probe:  # the hot path
                batch.answered += 1
                answers += 1
                self._settled.append(
                    Settlement(post.connection, Outcome.DELIVERED, post.tries, post.throttles)
                )
                continue
            was_throttled = post.throttles or post.connection.rounds
            is_first_throttle = result.status == _TOO_MANY and not was_throttled
            answers += is_first_throttle or result.status != _TOO_MANY
            throttled += is_first_throttle
            self._judge_response(post, result, batch, now)
        for error in failures:
            batch.add_unopened(_shown(error))
        self._gate.observe(batch, ended=len(self._settled) - settled, now=now)
        if answers:
            self._responses += answers
            self._pacer.observe(answers, throttled)

    def end(self, abandoned: Sequence[Ending[Post]], now: float) -> None:
        """Judge the posts that were under way when the time was up; the others are pending."""
        batch, unanswered = Batch(), 0
        for post, result in abandoned:
            if isinstance(result, Response):
                self._judge_response(post, result, batch, now)
                continue
            if isinstance(result, NotProcessedError):
                post.tries -= 1  # it waits as if it had not been posted
            else:
                unanswered += 1
                post.abandon()
            self._retries.add(post, now)
        for post in self._retries:
            post.reason = post.reason or self._gate.reason
            self._settled.append(post.settle(Outcome.PENDING))
        self._gate.observe(batch, ended=0, now=now)
        self._gate.abandon(unanswered)

    def _judge_response(self, post: Post, response: Response, batch: Batch, now: float) -> None:
        if response.status == _DELIVERED:
            self._decide(post, Verdict.DELIVERED, "", batch, now)
            return
        young = post.connection.is_young(self._clock.epoch_ms())
        shown = response.body[:_SHOWN_BYTES].decode(errors="replace")
        verdict = verdict_of(response.status, young=young)
        self._decide(post, verdict, f"{response.status} {shown}", batch, now)

    def _judge_loss(self, post: Post, error: Exception, batch: Batch, now: float) -> None:
        """Judge a post that has no answer; one that was not processed is no try."""
        if not isinstance(error, NotProcessedError) or not self._may_repeat(post, error):
            self._decide(post, Verdict.LOST, _shown(error), batch, now, error=error)
            return
        if post.repeats >= REPEATS_AT_ONCE and not self._are_others_answered(post):
            post.judge(Verdict.LOST, _shown(error), self._backoff)  # as far as the breaker goes
            batch.add(post, Verdict.LOST, _shown(error), error)
        post.repeats += 1
        post.responses_before = self._responses
        post.tries -= 1
        self._retries.add(post, self._repeat_at(post, now))

    def _may_repeat(self, post: Post, error: NotProcessedError) -> bool:
        """Tell whether to repeat a post: a few times, and more often while others are answered.

        That a connection was closed while it was idle is only inferred: such repeats are few.
        """
        if isinstance(error, IdleClosedError):
            return post.repeats < REPEATS_AT_ONCE
        most = MAX_REPEATS if self._are_others_answered(post) else REPEATS_UNANSWERED
        return post.repeats < most

    def _are_others_answered(self, post: Post) -> bool:
        """Tell whether any post was answered since this one was not processed last."""
        return self._responses > post.responses_before

    def _repeat_at(self, post: Post, now: float) -> float:
        delayed = post.repeats - REPEATS_AT_ONCE
        if delayed <= 0:
            return _BEFORE_ALL
        return now + self._backoff.seconds(delayed, self._jitter())

    def _decide(
        self,
        post: Post,
        verdict: Verdict,
        reason: str,
        batch: Batch,
        now: float,
        *,
        error: Exception | None = None,
    ) -> None:
        outcome = post.judge(verdict, reason, self._backoff)
        batch.add(post, verdict, reason, error)
        if outcome is not None:
            self._settled.append(post.settle(outcome))
            return
        seconds = self._backoff.seconds(post.tries, self._jitter())
        self._retries.add(post, now + seconds)


def _shown(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
