"""Posting with boto3: every connection taken ends in exactly one outcome."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import count
from threading import Barrier, Event

import pytest
from botocore.exceptions import (
    ConnectTimeoutError,
    NoCredentialsError,
    ParamValidationError,
    ReadTimeoutError,
)

from broadcasting.breaker import REFUSALS_IN_A_ROW, WINDOW_POSTS, Breaker
from broadcasting.clock import Clock
from broadcasting.connection import Connection
from broadcasting.outcome import Outcome, Settlement, Verdict
from broadcasting.retry import Backoff
from broadcasting.trouble import Trouble
from delivery.fan_out import Watch
from testbed import boto3_fan_out
from testbed.boto3_fan_out import DRAIN_SECONDS, Boto3FanOut
from testbed.model.fakes import FAR, NOW_MS, OLD_MS, FakePosts, FakeTime, aws_error, half

AT_ONCE = Backoff(tries=3, base_seconds=0.0, cap_seconds=0.0)
NEVER_AGAIN = Backoff(tries=3, base_seconds=10_000.0, cap_seconds=10_000.0)
"""The next try is due after the end of the test."""

Answer = Callable[[str, int], Exception | None]


def _old(number_of: int) -> list[Connection]:
    return [Connection(f"c{number}", OLD_MS) for number in range(number_of)]


def _fan_out(posts: FakePosts, time: FakeTime | None = None, *, workers: int = 4) -> Boto3FanOut:
    clock = (time or FakeTime()).clock
    return Boto3FanOut(posts.client, workers=workers, clock=clock, jitter=half, backoff=AT_ONCE)


def _deliver(posts: FakePosts, connections: Iterable[Connection]) -> list[Settlement]:
    return list(_fan_out(posts).deliver("frame", connections, FAR))


def test_fan_out_delivers_the_frame_to_each_connection_once() -> None:
    """Many more connections than threads: one post and one settlement for each."""
    posts, connections = FakePosts(), _old(200)

    settlements = _deliver(posts, connections)

    assert sorted(posts.sent) == sorted(one.id for one in connections)
    assert set(posts.frames) == {b"frame"}
    assert {one.connection for one in settlements} == set(connections)
    assert len(settlements) == 200
    assert {(s.outcome, s.tries, s.reason) for s in settlements} == {(Outcome.DELIVERED, 1, "")}


def test_fan_out_never_waits_for_a_pace() -> None:
    """It knows none: more workers are always faster."""
    assert not _fan_out(FakePosts()).is_paced


def test_fan_out_ends_at_once_when_its_audience_is_empty() -> None:
    """An empty audience has no settlements."""
    assert _deliver(FakePosts(), []) == []


@pytest.mark.parametrize(
    ("error", "outcome", "tries", "throttles", "reason"),
    [
        (aws_error(410, "GoneException"), Outcome.GONE, 1, 0, "410 GoneException: injected"),
        (aws_error(400, "BadRequest"), Outcome.FAILED, 1, 0, "400 BadRequest: injected"),
        (aws_error(413), Outcome.FAILED, 1, 0, "413"),
        (ParamValidationError(report="bad id"), Outcome.FAILED, 1, 0, "Parameter validation"),
        (aws_error(403, "Forbidden"), Outcome.PENDING, 3, 0, "403 Forbidden: injected"),
        (NoCredentialsError(), Outcome.PENDING, 3, 0, "Unable to locate credentials"),
        (aws_error(429), Outcome.PENDING, 3, 3, "429"),
        (aws_error(500), Outcome.PENDING, 3, 0, "500"),
        (aws_error(503), Outcome.PENDING, 3, 0, "503"),
        (ReadTimeoutError(endpoint_url="u"), Outcome.PENDING, 3, 0, "ReadTimeoutError"),
        (ConnectTimeoutError(endpoint_url="u"), Outcome.PENDING, 3, 0, "ConnectTimeoutError"),
        (OSError("reset"), Outcome.PENDING, 3, 0, "OSError: reset"),
    ],
)
def test_fan_out_settles_by_the_answer(
    error: Exception, outcome: Outcome, tries: int, throttles: int, reason: str
) -> None:
    """What cannot succeed ends at once, what may is tried three times and is then pending."""
    posts = FakePosts(lambda _id, _tries: error)

    (settlement,) = _deliver(posts, _old(1))

    assert (settlement.outcome, settlement.tries) == (outcome, tries)
    assert settlement.throttles == throttles
    assert settlement.reason.startswith(reason)
    assert len(posts.sent) == tries


def test_fan_out_tries_a_410_again_and_leaves_it_when_the_connection_is_young() -> None:
    """`$connect` may only just have returned: the row stays."""
    posts = FakePosts(lambda _id, _tries: aws_error(410))

    (settlement,) = _deliver(posts, [Connection("new", NOW_MS - 1)])

    assert (settlement.outcome, settlement.tries) == (Outcome.PENDING, 3)


def test_fan_out_delivers_when_a_later_try_succeeds() -> None:
    """Throttles are counted, the reason is forgotten."""
    posts = FakePosts(lambda _id, tries: aws_error(429) if tries < 3 else None)

    (settlement,) = _deliver(posts, _old(1))

    one, delivered = settlement.connection, Verdict.DELIVERED
    assert settlement == Settlement(one, Outcome.DELIVERED, 3, 2, "", delivered)


def test_fan_out_settles_everyone_exactly_once_when_answers_are_mixed() -> None:
    """One connection's error never touches another; the sums are exact."""
    answers: list[Exception | None] = [None, aws_error(410), aws_error(400), aws_error(429)]
    posts = FakePosts(lambda name, _tries: answers[int(name[1:]) % 4])

    settlements = _deliver(posts, _old(100))

    outcomes = [settlement.outcome for settlement in settlements]
    expected = (Outcome.DELIVERED, Outcome.GONE, Outcome.FAILED, Outcome.PENDING)
    assert [outcomes.count(outcome) for outcome in expected] == [25, 25, 25, 25]
    assert len({settlement.connection.id for settlement in settlements}) == 100


@pytest.mark.parametrize("error", [aws_error(403, "Forbidden"), NoCredentialsError()])
def test_fan_out_stops_within_some_dozens_of_posts_when_forbidden(error: Exception) -> None:
    """Nothing fails, and connections that are not taken stay where they are."""
    posts, watch, untaken = FakePosts(lambda _id, _tries: error), Watch(), iter(_old(500))
    fan_out = Boto3FanOut(
        posts.client, workers=4, clock=FakeTime().clock, jitter=half, backoff=NEVER_AGAIN
    )

    settlements = list(fan_out.deliver("frame", untaken, FAR, watch=watch))

    assert watch.breaker.stopped_by is Trouble.FORBIDDEN
    assert watch.breaker.reason == settlements[0].reason
    assert {(one.outcome, one.tries) for one in settlements} == {(Outcome.PENDING, 1)}
    assert REFUSALS_IN_A_ROW <= len(posts.sent) < REFUSALS_IN_A_ROW + 4
    assert len(settlements) + len(list(untaken)) == 500


def test_fan_out_keeps_what_was_delivered_when_forbidden_later() -> None:
    """What was settled before the refusals stays settled."""
    posts = FakePosts(lambda name, _tries: aws_error(403) if int(name[1:]) > 99 else None)
    watch = Watch()
    fan_out = Boto3FanOut(
        posts.client, workers=1, clock=FakeTime().clock, jitter=half, backoff=NEVER_AGAIN
    )

    settlements = list(fan_out.deliver("frame", _old(500), FAR, watch=watch))

    outcomes = [settlement.outcome for settlement in settlements]
    assert watch.breaker.stopped_by is Trouble.FORBIDDEN
    assert outcomes == [Outcome.DELIVERED] * 100 + [Outcome.PENDING] * REFUSALS_IN_A_ROW


def test_fan_out_delivers_to_the_others_when_some_are_refused() -> None:
    """Thirty in a row, the first ones: theirs, as others are answered."""
    posts = FakePosts(lambda name, _tries: aws_error(403) if int(name[1:]) < 30 else None)
    watch = Watch()

    settlements = list(_fan_out(posts).deliver("frame", _old(300), FAR, watch=watch))

    facts = Counter((settlement.outcome, settlement.tries) for settlement in settlements)
    assert facts == {(Outcome.DELIVERED, 1): 270, (Outcome.PENDING, AT_ONCE.tries): 30}
    assert watch.breaker.is_closed


def test_fan_out_stops_when_no_post_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most posts are lost, then all probes: an outage."""
    monkeypatch.setattr(boto3_fan_out, "TICK_SECONDS", 0.001)
    posts, time, watch = FakePosts(lambda _id, _tries: OSError("reset")), FakeTime(), Watch()
    fan_out = Boto3FanOut(
        posts.client, workers=4, clock=time.clock, jitter=half, backoff=NEVER_AGAIN
    )
    untaken = iter(_old(500))
    watch.tick = lambda: time.run(1.0)

    settlements = list(fan_out.deliver("frame", untaken, FAR, watch=watch))

    assert watch.breaker.stopped_by is Trouble.OUTAGE
    assert {(one.outcome, one.reason) for one in settlements} == {
        (Outcome.PENDING, "OSError: reset")
    }
    assert len(posts.sent) < 2 * WINDOW_POSTS
    assert len(settlements) + len(list(untaken)) == 500


def test_fan_out_goes_on_when_a_probe_is_answered() -> None:
    """A slice that was in trouble begins with probes, and all are delivered."""
    watch = Watch(breaker=Breaker(probes_from=0.0))

    settlements = list(_fan_out(FakePosts()).deliver("frame", _old(100), FAR, watch=watch))

    assert [one.outcome for one in settlements] == [Outcome.DELIVERED] * 100
    assert watch.breaker.is_closed


def test_fan_out_starts_no_post_until_its_pause_is_moved(monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller's tick moves it, in time."""
    monkeypatch.setattr(boto3_fan_out, "TICK_SECONDS", 0.001)
    posts, watch = FakePosts(), Watch(pause_at=-1.0)
    sent = []

    def tick() -> None:
        sent.append(len(posts.sent))
        watch.pause_at = FAR if len(sent) >= 2 else -1.0

    watch.tick = tick

    settlements = list(_fan_out(posts).deliver("frame", _old(20), FAR, watch=watch))

    assert sent[:2] == [0, 0]
    assert [one.outcome for one in settlements] == [Outcome.DELIVERED] * 20


def test_fan_out_starts_no_post_once_it_is_to_stop() -> None:
    """The answer under way counts; the others have not been taken."""
    time, untaken = FakeTime(), iter(_old(10))

    def late(name: str, _tries: int) -> None:
        if name == "c4":
            time.seconds = 5.0

    fan_out = _fan_out(FakePosts(late), time, workers=1)

    settlements = list(fan_out.deliver("f", untaken, FAR, watch=Watch(stop_at=5.0)))

    assert [one.outcome for one in settlements] == [Outcome.DELIVERED] * 5
    assert len(list(untaken)) == 5


def test_fan_out_takes_nobody_when_the_deadline_is_over() -> None:
    """No post, no settlement: connections that are not taken remain."""
    time, posts, untaken = FakeTime(seconds=FAR), FakePosts(), iter(_old(3))

    assert list(_fan_out(posts, time).deliver("frame", untaken, FAR)) == []
    assert posts.sent == []
    assert len(list(untaken)) == 3


def test_fan_out_stops_taking_when_the_deadline_comes_in_the_middle() -> None:
    """The answers under way still count; the others have not been taken."""
    time, untaken = FakeTime(), iter(_old(10))

    def late(name: str, _tries: int) -> None:
        if name == "c4":
            time.seconds = FAR

    settlements = list(_fan_out(FakePosts(late), time, workers=1).deliver("f", untaken, FAR))

    assert [one.outcome for one in settlements] == [Outcome.DELIVERED] * 5
    assert [one.id for one in untaken] == [f"c{number}" for number in range(5, 10)]


@pytest.mark.parametrize("seconds", [FAR, FAR + DRAIN_SECONDS])
def test_fan_out_leaves_who_waits_for_a_next_try_when_the_deadline_comes(seconds: float) -> None:
    """A retry that is due later is pending with its tries counted."""
    time, untaken = FakeTime(), iter(_old(2))

    def late(_name: str, _tries: int) -> Exception:
        time.seconds = seconds
        return aws_error(429)

    settlements = list(_fan_out(FakePosts(late), time, workers=1).deliver("f", untaken, FAR))

    assert [(one.outcome, one.tries) for one in settlements] == [(Outcome.PENDING, 1)]
    assert len(list(untaken)) == 1


def test_fan_out_takes_no_more_connections_than_it_has_threads() -> None:
    """The audience is read lazily."""
    taken: list[str] = []

    def audience() -> Iterator[Connection]:
        for connection in _old(50):
            taken.append(connection.id)
            yield connection

    first = next(_fan_out(FakePosts(), workers=2).deliver("f", audience(), FAR))

    assert first.outcome is Outcome.DELIVERED
    assert len(taken) == 2


def test_fan_out_waits_for_the_next_try_without_holding_a_thread() -> None:
    """A post that is not due yet waits; time passes with each look at the clock."""
    ticks = count(0.0, 0.001)
    clock = Clock(lambda: next(ticks), lambda: NOW_MS, lambda _: None)
    posts = FakePosts(lambda _id, tries: aws_error(500) if tries < 2 else None)
    backoff = Backoff(tries=3, base_seconds=0.01, cap_seconds=0.01)
    fan_out = Boto3FanOut(posts.client, workers=2, clock=clock, jitter=half, backoff=backoff)

    (settlement,) = fan_out.deliver("frame", _old(1), FAR)

    assert (settlement.outcome, settlement.tries) == (Outcome.DELIVERED, 2)


def test_fan_out_counts_an_answer_that_came_just_before_it_gave_up() -> None:
    """What was answered is not pending, though the time for the last answers is over."""
    time, both_are_idle = FakeTime(), Barrier(2)
    fan_out = _fan_out(FakePosts(), time, workers=2)

    def audience() -> Iterator[Connection]:
        yield from _old(1)
        waits = [fan_out._threads.submit(both_are_idle.wait) for _ in range(2)]
        assert {wait.result() for wait in waits} == {0, 1}  # so the post is answered
        time.seconds = FAR + DRAIN_SECONDS

    settlements = list(fan_out.deliver("frame", audience(), FAR))

    assert [one.outcome for one in settlements] == [Outcome.DELIVERED]


def test_fan_out_posts_nothing_that_was_left_while_it_waited_for_a_thread() -> None:
    """It is handed over: another worker posts it."""
    time, posts, is_over = FakeTime(), FakePosts(), Event()
    fan_out = _fan_out(posts, time, workers=2)
    for _ in range(2):
        fan_out._threads.submit(is_over.wait)

    def audience() -> Iterator[Connection]:
        yield from _old(1)
        time.seconds = FAR + DRAIN_SECONDS

    settlements = list(fan_out.deliver("frame", audience(), FAR))
    is_over.set()
    fan_out._threads.shutdown()

    assert [one.outcome for one in settlements] == [Outcome.PENDING]
    assert posts.sent == []


def test_fan_out_counts_the_tries_of_those_who_wait_when_forbidden() -> None:
    """Whether they count is decided once the round is over."""
    posts = FakePosts(lambda name, _tries: aws_error(503 if name == "c0" else 403))
    fan_out = Boto3FanOut(
        posts.client, workers=1, clock=FakeTime().clock, jitter=half, backoff=NEVER_AGAIN
    )
    watch = Watch()

    settlements = list(fan_out.deliver("frame", _old(500), FAR, watch=watch))

    assert watch.breaker.stopped_by is Trouble.FORBIDDEN
    reasons = Counter((one.outcome, one.tries, one.reason[:3]) for one in settlements)
    assert reasons == {
        (Outcome.PENDING, 1, "503"): 1,
        (Outcome.PENDING, 1, "403"): REFUSALS_IN_A_ROW,
    }
