"""Whether the posts of one session may start, and what the breaker is told of them."""

import math

import pytest

from broadcasting.breaker import PROBES_AT_ONCE, REFUSALS_IN_A_ROW, WINDOW_POSTS, Breaker
from broadcasting.connection import Connection
from broadcasting.outcome import Verdict
from broadcasting.retry import Backoff
from broadcasting.trouble import Answers, Evidence, Trouble
from delivery.answers import Batch
from delivery.fan_out import LAST_ANSWERS_SECONDS, Watch
from delivery.gate import PostGate
from delivery.post import Post
from testbed.model.fakes import OLD_MS

DEADLINE = 100.0
REACHED = Evidence(delivered=3_000)


def _make(watch: Watch | None = None, *, deadline: float = DEADLINE) -> PostGate:
    return PostGate(watch or Watch(), deadline=deadline, now=0.0)


def _answered(verdict: Verdict, posts: int = 1) -> Batch:
    batch = Batch()
    for _ in range(posts):
        post = Post(Connection("a", OLD_MS))
        post.judge(verdict, "why", Backoff())
        batch.add(post, verdict, "why")
    return batch


@pytest.mark.parametrize(
    ("deadline", "last_post_at"), [(DEADLINE, DEADLINE - LAST_ANSWERS_SECONDS), (2.0, 1.5)]
)
def test_gate_starts_no_post_just_before_its_deadline(deadline: float, last_post_at: float) -> None:
    """A second, or the last quarter of a short time, is kept for the answers."""
    gate = _make(deadline=deadline)

    assert gate.shuts_at == last_post_at
    assert not gate.is_shut(last_post_at - 0.01)
    assert gate.is_shut(last_post_at)


def test_gate_is_stopped_from_the_start_when_its_deadline_is_over() -> None:
    """There is no time to keep for answers."""
    assert _make(deadline=-5.0).is_shut(0.0)


def test_gate_starts_no_post_once_its_watch_stops_it() -> None:
    """Sooner than its deadline would."""
    gate = _make(Watch(stop_at=10.0))

    assert [gate.is_shut(at) for at in (9.9, 10.0)] == [False, True]


def test_gate_stops_at_once_when_it_is_cancelled() -> None:
    """Its deadline is now: no answer is waited for."""
    gate = _make()

    gate.cancel(5.0)

    assert (gate.is_shut(5.0), gate.deadline) == (True, 5.0)


def test_gate_permits_all_while_nothing_is_wrong() -> None:
    """No post is a probe then."""
    gate = _make()

    assert (gate.permits(512, 0.0), gate.probe()) == (512, False)


def test_gate_permits_nothing_while_its_watch_pauses_it() -> None:
    """The caller alone moves that; it is no stop."""
    watch = Watch(pause_at=5.0)
    gate = _make(watch)

    permitted = [gate.permits(9, at) for at in (4.9, 5.0, 50.0)]
    watch.pause_at = math.inf

    assert (permitted, gate.permits(9, 50.0), gate.is_shut(50.0)) == ([9, 0, 0], 9, False)


def test_gate_permits_as_many_as_the_breaker_while_it_probes() -> None:
    """Each that starts uses one up, and is a probe."""
    gate = _make(Watch(breaker=Breaker(probes_from=0.0)))

    permitted = gate.permits(512, 0.0)
    probes = [gate.probe() for _ in range(permitted)]

    assert probes == [True] * PROBES_AT_ONCE
    assert gate.permits(512, 0.0) == 0


def test_gate_asks_for_no_more_of_a_pace_than_it_may_post() -> None:
    """What is reserved and not posted is lost to the other workers."""
    watch = Watch(stop_at=10.0, pause_at=5.0)
    gate, probing = _make(watch), _make(Watch(breaker=Breaker(probes_from=0.0)))

    paused = [gate.wants(900, at) for at in (4.9, 5.0)]
    watch.pause_at = math.inf
    stopped = [gate.wants(900, at) for at in (9.9, 10.0)]

    assert paused == stopped == [900, 0]
    assert [probing.wants(waiting, 0.0) for waiting in (900, 2)] == [PROBES_AT_ONCE, 2]


def test_gate_is_stopped_when_the_breaker_opens() -> None:
    """By the answers that the threads have, however many connections are to come."""
    watch = Watch(breaker=Breaker(REACHED))
    gate = _make(watch)

    gate.observe(_answered(Verdict.FORBIDDEN, REFUSALS_IN_A_ROW), ended=0, now=0.0)

    assert (gate.is_shut(0.0), watch.breaker.stopped_by) == (True, Trouble.FORBIDDEN)
    assert watch.breaker.answers == Answers(refused=REFUSALS_IN_A_ROW)


@pytest.mark.parametrize("is_fed", [True, False])
def test_gate_tells_the_breaker_how_many_are_pending_once_it_knows(*, is_fed: bool) -> None:
    """A few that are pending may be lost on their own; a few that were taken may be followed."""
    gate = _make(Watch(breaker=Breaker(REACHED)))
    if is_fed:
        gate.expect(70)

    gate.observe(_answered(Verdict.LOST, WINDOW_POSTS), ended=30, now=0.0)

    assert gate.is_probing is not is_fed


def test_gate_counts_those_that_have_ended_from_batch_to_batch() -> None:
    """Fewer and fewer are pending."""
    gate = _make(Watch(breaker=Breaker(REACHED)))
    gate.expect(100)

    gate.observe(_answered(Verdict.DELIVERED), ended=20, now=0.0)
    gate.observe(_answered(Verdict.DELIVERED), ended=20, now=0.0)
    gate.observe(_answered(Verdict.LOST, WINDOW_POSTS + 10), ended=0, now=0.0)

    assert not gate.is_probing


def test_gate_tells_how_many_places_of_lost_posts_stay_empty() -> None:
    """Each call of `deliver` begins with none."""
    watch = Watch(breaker=Breaker(REACHED))
    gate = PostGate(watch, deadline=DEADLINE, now=0.0, places=512)
    gate.observe(_answered(Verdict.DELIVERED, 50), ended=50, now=0.0)

    batch = _answered(Verdict.LOST, 50)
    batch.answered = 50
    gate.observe(batch, ended=50, now=0.0)
    empty = gate.empty_places

    assert (empty, _make(watch).empty_places) == (50 - WINDOW_POSTS, 0)


def test_gate_is_shut_when_posting_is_forbidden() -> None:
    """The reason is kept for the pending connections."""
    gate = _make()

    gate.forbid("no credentials to sign with")

    assert (gate.is_shut(0.0), gate.reason) == (True, "no credentials to sign with")
