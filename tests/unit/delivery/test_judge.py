"""What becomes of a post that the server says it has not processed."""

import pytest

from broadcasting.audience import Connection
from broadcasting.clock import Clock
from broadcasting.outcome import Outcome
from broadcasting.pacing.pace import Pace
from broadcasting.retry import Backoff
from delivery.fan_out import Watch
from delivery.gate import PostGate
from delivery.http.connection import NotProcessedError
from delivery.judge import MAX_REPEATS, REPEATS_AT_ONCE, Judge
from delivery.post import Post
from delivery.retry_queue import RetryQueue
from delivery.shared_pacer import make_pacer
from testbed.model.fakes import OLD_MS

REFUSED = NotProcessedError("REFUSED_STREAM")
CLOCK = Clock(lambda: 0.0, lambda: OLD_MS, lambda _seconds: None)
NO_TIME = 0.0
BACKOFF = Backoff(tries=2, base_seconds=1.0, cap_seconds=1.0)
LATER = 1.0
"""Until then all that waits by the backoff is due."""


class Bench:
    """A judge, and one post that is made again and again."""

    def __init__(self) -> None:
        self.post = Post(Connection("a", OLD_MS))
        self.watch = Watch()
        self.retries = RetryQueue()
        self.judge = Judge(
            PostGate(self.watch, deadline=100.0, now=0.0),
            self.retries,
            pacer=make_pacer(Pace(1.0, 1.0), CLOCK, None, lambda _: None),
            backoff=BACKOFF,
            clock=CLOCK,
            jitter=lambda: 1.0,
        )

    def refuse(self, times: int) -> None:
        """Make the post that often; the server refuses it each time."""
        for time in range(times):
            if time:
                assert self.retries.is_due(LATER)
                self.retries.take()
            self.post.tries += 1
            self.judge.judge([(self.post, REFUSED)], (), NO_TIME)


@pytest.mark.parametrize("times", [1, REPEATS_AT_ONCE])
def test_judge_repeats_a_post_at_once_that_was_not_processed(times: int) -> None:
    """It is no try, and says nothing of the endpoint."""
    bench = Bench()

    bench.refuse(times)

    assert bench.retries.is_due(NO_TIME)
    assert (bench.post.tries, bench.post.repeats) == (0, times)
    assert bench.watch.breaker.answers.lost == 0


@pytest.mark.parametrize("times", [REPEATS_AT_ONCE + 1, MAX_REPEATS])
def test_judge_delays_a_post_that_was_not_processed_often(times: int) -> None:
    """It is still no try; but a server that refuses all posts is an outage, so it is counted."""
    bench = Bench()

    bench.refuse(times)

    assert (bench.retries.is_due(NO_TIME), bench.retries.is_due(LATER)) == (False, True)
    assert (bench.post.tries, bench.post.repeats) == (0, times)
    assert bench.watch.breaker.answers.lost == times - REPEATS_AT_ONCE


def test_judge_counts_a_try_when_a_post_is_never_processed() -> None:
    """It has an end, with the server's reason."""
    bench = Bench()

    bench.refuse(MAX_REPEATS + BACKOFF.tries)

    (settled,) = bench.judge.take_settled()
    assert (settled.outcome, settled.tries) == (Outcome.PENDING, BACKOFF.tries)
    assert settled.reason == "NotProcessedError: REFUSED_STREAM"
    assert not bench.retries
