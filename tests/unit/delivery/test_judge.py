"""What becomes of a post that the server says it has not processed."""

import pytest

from broadcasting.clock import Clock
from broadcasting.connection import Connection
from broadcasting.outcome import Outcome, Settlement, Verdict
from broadcasting.pacing.pace import Pace
from broadcasting.retry import Backoff
from delivery.fan_out import Watch
from delivery.gate import PostGate
from delivery.http.connection import IdleClosedError, NotProcessedError, Response
from delivery.judge import MAX_REPEATS, REPEATS_AT_ONCE, REPEATS_UNANSWERED, Judge
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

    def refuse(
        self, times: int, *, error: Exception = REFUSED, others_are_answered: bool = True
    ) -> None:
        """Make the post that often; the server has processed it at no time."""
        for time in range(times):
            if time:
                assert self.retries.is_due(LATER)
                assert self.retries.take() is self.post
            if others_are_answered:
                other = Post(Connection("b", OLD_MS), tries=1)
                self.judge.judge([(other, Response(200))], (), NO_TIME)
            self.post.tries += 1
            self.judge.judge([(self.post, error)], (), NO_TIME)

    @property
    def settled(self) -> list[Settlement]:
        """How the post has ended, if it has."""
        return [one for one in self.judge.take_settled() if one.connection is self.post.connection]


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
    """It is still no try, as long as other posts are answered."""
    bench = Bench()

    bench.refuse(times)

    assert (bench.retries.is_due(NO_TIME), bench.retries.is_due(LATER)) == (False, True)
    assert (bench.post.tries, bench.post.repeats) == (0, times)
    assert bench.watch.breaker.answers.lost == 0


@pytest.mark.parametrize(
    ("error", "others_are_answered", "repeats"),
    [
        (REFUSED, True, MAX_REPEATS),
        (REFUSED, False, REPEATS_UNANSWERED),
        (IdleClosedError("closed while idle"), True, REPEATS_AT_ONCE),
    ],
    ids=["never", "no post is", "inferred"],
)
def test_judge_counts_a_try_when_a_post_is_not_processed_too_often(
    error: Exception,
    others_are_answered: bool,  # noqa: FBT001 - a parameter of the test
    repeats: int,
) -> None:
    """It has an end, with the server's reason, and the breaker learns of it."""
    bench = Bench()

    bench.refuse(repeats + BACKOFF.tries, error=error, others_are_answered=others_are_answered)

    (settled,) = bench.settled
    assert (settled.outcome, settled.tries) == (Outcome.PENDING, BACKOFF.tries)
    assert settled.reason == f"{type(error).__name__}: {error}"
    assert bench.post.repeats == repeats
    assert not bench.retries


@pytest.mark.parametrize(
    ("error", "tries", "verdict"),
    [
        (REFUSED, 0, None),
        (TimeoutError("no answer"), 1, Verdict.LOST),
        (OSError("reset"), 1, Verdict.LOST),
    ],
)
def test_judge_counts_no_try_of_a_post_that_was_not_processed_when_the_time_was_up(
    error: Exception, tries: int, verdict: Verdict | None
) -> None:
    """It is pending, and the server's last word on it is not a lost answer."""
    bench = Bench()
    bench.post.tries += 1

    bench.judge.end([(bench.post, error)], NO_TIME)

    (settled,) = bench.settled
    assert (settled.outcome, settled.tries) == (Outcome.PENDING, tries)
    assert settled.verdict is verdict
    assert bench.watch.breaker.answers.lost == tries


def test_judge_tells_the_breaker_of_a_server_that_processes_nothing() -> None:
    """It is an outage, though no post of it is a try."""
    bench = Bench()

    bench.refuse(REPEATS_UNANSWERED, others_are_answered=False)

    assert (bench.post.tries, bench.post.repeats) == (0, REPEATS_UNANSWERED)
    assert bench.watch.breaker.answers.lost == REPEATS_UNANSWERED - REPEATS_AT_ONCE
