"""One call of `deliver`, as its threads share it: when posts may start, and what the breaker hears.

No socket is opened: the time is the test's own.
"""

import math
from collections.abc import Callable

import pytest

from broadcasting.audience import Connection
from broadcasting.breaker import PROBES_AT_ONCE, REFUSALS_IN_A_ROW, WINDOW_POSTS, Breaker
from broadcasting.outcome import Verdict
from broadcasting.pacing.pace import Pace
from broadcasting.retry import Backoff
from broadcasting.trouble import Answers, Evidence, Trouble
from delivery.answers import Batch
from delivery.fan_out import LAST_ANSWERS_SECONDS, ForbiddenError, Watch
from delivery.http.endpoint import parse_endpoint
from delivery.post import Post
from delivery.session import TEMPLATE_SECONDS, DeliverySession
from delivery.shared_pacer import make_pacer
from delivery.signing import Credentials, Signer
from testbed.model.fakes import OLD_MS, FakeTime

DEADLINE = 100.0
FEWEST_FRESH = 2
REACHED = Evidence(delivered=3_000)

Make = Callable[..., DeliverySession]


@pytest.fixture
def time() -> FakeTime:
    """Return the test's own time."""
    return FakeTime()


@pytest.fixture
def make(time: FakeTime) -> Make:
    """Return what makes a run with a watch, and with credentials that may be missing."""

    def make(
        watch: Watch | None = None, *, deadline: float = DEADLINE, is_allowed: bool = True
    ) -> DeliverySession:
        credentials = Credentials("AKIDEXAMPLE", "secret") if is_allowed else None
        endpoint = parse_endpoint("http://127.0.0.1:1/prod")
        return DeliverySession(
            b"frame",
            deadline=deadline,
            watch=watch or Watch(),
            fewest_fresh=FEWEST_FRESH,
            clock=time.clock,
            signer=Signer(endpoint, region="eu-central-1", credentials=lambda: credentials),
            pacer=make_pacer(Pace(1e6, 1e6), time.clock, None, lambda _: None),
            backoff=Backoff(),
        )

    return make


def _heard(verdict: Verdict, posts: int = 1) -> Batch:
    batch = Batch()
    for _ in range(posts):
        post = Post(Connection("a", OLD_MS))
        post.judge(verdict, "why", Backoff())
        batch.add(post, verdict, "why")
    return batch


def _take(session: DeliverySession, number_of: int) -> None:
    session.fresh.extend(Post(Connection(f"c{number}", OLD_MS)) for number in range(number_of))
    session.taken += number_of


@pytest.mark.parametrize(
    ("deadline", "last_post_at"), [(DEADLINE, DEADLINE - LAST_ANSWERS_SECONDS), (2.0, 1.5)]
)
def test_run_starts_no_post_just_before_its_deadline(
    make: Make, deadline: float, last_post_at: float
) -> None:
    """A second, or the last quarter of a short time, is left for the answers."""
    session = make(deadline=deadline)

    assert not session.is_stopped(last_post_at - 0.01)
    assert session.is_stopped(last_post_at)


def test_run_is_stopped_from_the_start_when_its_deadline_is_over(make: Make) -> None:
    """There is no time to leave for answers."""
    assert make(deadline=-5.0).is_stopped(0.0)


def test_run_starts_no_post_once_its_watch_stops_it(make: Make) -> None:
    """Sooner than its deadline would."""
    session = make(Watch(stop_at=10.0))

    assert [session.is_stopped(at) for at in (9.9, 10.0)] == [False, True]


def test_run_stops_at_once_when_it_is_cancelled(make: Make, time: FakeTime) -> None:
    """Its deadline is now: no answer is waited for."""
    session = make()
    time.run(5.0)

    session.cancel()

    assert (session.is_stopped(5.0), session.deadline) == (True, 5.0)


def test_run_permits_all_while_nothing_is_wrong(make: Make) -> None:
    """No post is a probe then."""
    session = make()

    assert (session.permits(512, 0.0), session.probe()) == (512, False)


def test_run_permits_nothing_while_its_watch_pauses_it(make: Make) -> None:
    """The caller alone moves that; it is no stop."""
    watch = Watch(pause_at=5.0)
    session = make(watch)

    permitted = [session.permits(9, at) for at in (4.9, 5.0, 50.0)]
    watch.pause_at = math.inf

    assert (permitted, session.permits(9, 50.0), session.is_stopped(50.0)) == ([9, 0, 0], 9, False)


def test_run_permits_as_many_as_the_breaker_while_it_probes(make: Make) -> None:
    """Each that starts uses one up, and is a probe."""
    session = make(Watch(breaker=Breaker(probes_from=0.0)))

    permitted = session.permits(512, 0.0)
    probes = [session.probe() for _ in range(permitted)]

    assert probes == [True] * PROBES_AT_ONCE
    assert session.permits(512, 0.0) == 0


def test_run_asks_for_no_more_of_a_pace_than_it_may_post(make: Make) -> None:
    """What is reserved and not posted is lost to the other workers."""
    watch = Watch(stop_at=10.0, pause_at=5.0)
    session, probing = make(watch), make(Watch(breaker=Breaker(probes_from=0.0)))

    paused = [session.wants(900, at) for at in (4.9, 5.0)]
    watch.pause_at = math.inf
    stopped = [session.wants(900, at) for at in (9.9, 10.0)]

    assert paused == stopped == [900, 0]
    assert [probing.wants(waiting, 0.0) for waiting in (900, 2)] == [PROBES_AT_ONCE, 2]


def test_run_is_stopped_when_the_breaker_opens(make: Make) -> None:
    """By what the threads have heard, however large the rest is."""
    watch = Watch(breaker=Breaker(REACHED))
    session = make(watch)

    session.observe(_heard(Verdict.FORBIDDEN, REFUSALS_IN_A_ROW), ended=0, now=0.0)

    assert (session.is_stopped(0.0), watch.breaker.stopped_by) == (True, Trouble.FORBIDDEN)
    assert watch.breaker.answers == Answers(refused=REFUSALS_IN_A_ROW)


@pytest.mark.parametrize("is_fed", [True, False])
def test_run_tells_the_breaker_how_many_are_left_once_it_knows(make: Make, *, is_fed: bool) -> None:
    """A few that are left may be lost on their own; a few that were taken may be followed."""
    session = make(Watch(breaker=Breaker(REACHED)))
    _take(session, 70)
    session.is_fed = is_fed

    session.observe(_heard(Verdict.LOST, WINDOW_POSTS), ended=30, now=0.0)

    assert session.breaker.is_closed is is_fed


def test_run_counts_those_that_have_ended_from_batch_to_batch(make: Make) -> None:
    """What is left gets fewer."""
    session = make(Watch(breaker=Breaker(REACHED)))
    _take(session, 100)
    session.is_fed = True

    session.observe(_heard(Verdict.DELIVERED), ended=20, now=0.0)
    session.observe(_heard(Verdict.DELIVERED), ended=20, now=0.0)
    session.observe(_heard(Verdict.LOST, WINDOW_POSTS + 10), ended=0, now=0.0)

    assert session.breaker.is_closed


def test_run_is_stopped_when_there_is_nothing_to_sign_with(make: Make) -> None:
    """The reason is kept for those who are left."""
    session = make(is_allowed=False)

    with pytest.raises(ForbiddenError, match="no credentials") as raised:
        session.template(0.0)
    session.forbid(raised.value.reason)

    assert (session.is_stopped(0.0), session.breaker.reason) == (True, raised.value.reason)


def test_run_signs_with_a_new_template_every_minute(make: Make, time: FakeTime) -> None:
    """One serves all posts of a minute."""
    session = make()

    first = session.template(0.0)
    same = session.template(TEMPLATE_SECONDS - 0.1)
    time.run(TEMPLATE_SECONDS)
    second = session.template(TEMPLATE_SECONDS)

    assert first is same
    assert second.request("a") != first.request("a")


def test_run_asks_for_more_once_when_few_are_fresh(make: Make) -> None:
    """An empty batch wakes the feeder; the next one comes when that has fed."""
    session = make()
    _take(session, FEWEST_FRESH + 2)

    taken = [session.take_fresh() for _ in range(FEWEST_FRESH + 3)]

    assert [post.connection.id if post else None for post in taken] == [
        "c0",
        "c1",
        "c2",
        "c3",
        None,
    ]
    assert session.settled.get_nowait() == []
    assert session.settled.empty()


def test_run_lets_the_caller_do_what_it_has_to(make: Make) -> None:
    """In the caller's thread."""
    ticks: list[int] = []

    make(Watch(tick=lambda: ticks.append(1))).tick()

    assert ticks == [1]
