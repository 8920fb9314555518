"""How long one thread waits, and when it sleeps though an answer may come."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import pytest

from broadcasting.clock import Clock
from broadcasting.connection import Connection
from broadcasting.outcome import Settlement
from broadcasting.pacing.pace import Pace
from broadcasting.retry import Backoff
from delivery.fan_out import LAST_ANSWERS_SECONDS, Watch
from delivery.gate import PostGate
from delivery.http.connection import Ending, Response
from delivery.http.endpoint import parse_endpoint
from delivery.http.request import Request
from delivery.judge import Judge
from delivery.post import Post
from delivery.post_loop import PostLoop
from delivery.retry_queue import RetryQueue
from delivery.session import DeliverySession
from delivery.shared_pacer import make_pacer
from delivery.signing import Credentials, FrameSigner, Signer
from testbed.model.fakes import OLD_MS, FakeTime

if TYPE_CHECKING:
    from delivery.http.pool import HttpPool

PACE = Pace(posts_per_second=1_000.0, burst=100.0)
DEADLINE = 100.0


class _Session(DeliverySession):
    """A session to which connections are added as soon as it has got results."""

    def __init__(self, added: int) -> None:
        super().__init__(threads=1, fewest_waiting=0, tick=lambda: None)
        self.added = added

    def return_results(self, results: Sequence[Settlement]) -> None:
        """Take results; the caller's thread is there at once."""
        super().return_results(results)
        for number in range(self.added):
            self.add(Connection(f"late{number}", OLD_MS))


class _Pool:
    """A pool with room, whose posts are never answered; it keeps how long it was polled for.

    Each poll takes a millisecond.
    """

    has_answered = is_opening = False

    def __init__(self, time: FakeTime) -> None:
        self._time = time
        self.has_room, self.room = True, 1_000
        self.under_way = 0
        self.polled: list[float] = []

    def keep_empty(self, places: int) -> None:
        """Take note that no post was lost."""
        assert not places

    def may_open(self, _ready: int) -> bool:
        """Return that the connections are enough."""
        return False

    def lacks_connections(self, _ready: int) -> bool:
        """Return that more would be opened."""
        return not self.has_room

    def send(self, requests: Sequence[tuple[Post, Request]]) -> list[Ending[Post]]:
        """Take posts."""
        self.under_way += len(list(requests))
        return []

    def poll(self, timeout_seconds: float, _deadline: float) -> list[Ending[Post]]:
        """Return nothing at all."""
        self.polled.append(timeout_seconds)
        self._time.run(0.001)
        return []

    def expire(self) -> list[Ending[Post]]:
        """Give nothing up."""
        return []

    def take_failures(self) -> list[Exception]:
        """Return that all was opened."""
        return []


class _Bench:
    """A loop in a time that moves by its naps, and by its polls."""

    def __init__(
        self, waiting: int = 0, *, added: int = 0, seconds: float = 0.0, pace: Pace = PACE
    ) -> None:
        self.time = FakeTime(seconds=seconds)
        self.naps: list[float] = []
        clock = Clock(*self.time.clock[:2], sleep=self._nap)
        self.session, self.pool, self.retries = _Session(added), _Pool(self.time), RetryQueue()
        for number in range(waiting):
            self.session.add(Connection(f"c{number}", OLD_MS))
        gate = PostGate(Watch(), deadline=DEADLINE, now=0.0)
        pacer = make_pacer(pace, clock, None, lambda _: None)
        signer = Signer(
            parse_endpoint("https://a/prod"),
            region="eu-west-1",
            credentials=lambda: Credentials("id", "key", None),
        )
        self.judge = Judge(
            gate, self.retries, pacer=pacer, backoff=Backoff(), clock=clock, jitter=lambda: 1.0
        )
        self.loop = PostLoop(
            self.session,
            gate,
            FrameSigner(signer, b"hi", clock),
            cast("HttpPool[Post]", self.pool),
            retries=self.retries,
            judge=self.judge,
            pacer=pacer,
            clock=clock,
        )

    def _nap(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.time.run(seconds)


@pytest.mark.parametrize(
    ("waiting", "nap_seconds"),
    [(999, [0.05]), (150, [0.05]), (107, [0.007]), (102, [0.002]), (100, [])],
)
def test_loop_sleeps_until_a_batch_or_the_last_posts_may_go(
    waiting: int, nap_seconds: list[float]
) -> None:
    """A batch is half a burst here, 50 posts; fewer that are the last do not wait for one."""
    bench = _Bench(waiting)

    for _ in range(3):
        bench.loop._turn()

    assert bench.naps[:1] == pytest.approx(nap_seconds)
    assert bench.pool.under_way >= min(150, waiting)


@pytest.mark.parametrize(("room", "nap_seconds"), [(20, 0.008), (3, 0.005)])
def test_loop_sleeps_no_longer_than_for_what_there_is_room_for(
    room: int, nap_seconds: float
) -> None:
    """Where each connection carries one post, more would be opened for the others of a batch."""
    bench = _Bench(999)
    bench.loop._turn()
    bench.naps.clear()
    bench.pool.room = room

    while not bench.naps:
        bench.loop._turn()

    assert bench.naps == [pytest.approx(nap_seconds)]


@pytest.mark.parametrize("burst", [1.0, 2.0, 10.0])
def test_loop_sleeps_no_longer_than_fills_the_bucket(burst: float) -> None:
    """Of a small burst half is a batch; what the bucket cannot hold is lost."""
    bench = _Bench(999, pace=Pace(posts_per_second=10_000.0, burst=burst))

    bench.loop._turn()

    assert bench.naps == [pytest.approx(max(1.0, burst / 2) / 10_000.0)]


def test_loop_does_not_sleep_into_the_time_of_the_last_answers() -> None:
    """An answer that comes then must not wait for it."""
    bench = _Bench(999, seconds=DEADLINE - LAST_ANSWERS_SECONDS - 0.01)

    bench.loop._turn()

    assert bench.naps == [pytest.approx(0.01)]


def test_loop_does_not_sleep_while_there_is_no_room() -> None:
    """An answer makes some, or a connection that opens."""
    bench = _Bench(999)
    bench.pool.room, bench.pool.has_room = 0, False

    bench.loop._turn()

    assert bench.naps == []
    assert bench.pool.polled == [0.0]


def test_loop_sleeps_while_the_pace_is_slow_and_looks_for_time_outs_meanwhile() -> None:
    """The next post may go in a second."""
    bench = _Bench(2, pace=Pace(posts_per_second=1.0, burst=1.0))

    for _ in range(3):
        bench.loop._turn()

    assert bench.pool.under_way == 1
    assert bench.naps == [0.05] * 3


def test_loop_does_not_sleep_when_posts_come_that_may_go_at_once() -> None:
    """They wake it: it waits for a retry, and not for the pace."""
    bench = _Bench(added=3, seconds=1.1)
    answered = Post(Connection("a", OLD_MS), tries=1)
    bench.judge.judge([(answered, Response(200))], (), 1.1)
    bench.retries.add(Post(Connection("b", OLD_MS), tries=1), 1.12)

    bench.loop._turn()

    assert bench.naps == []
    assert bench.pool.polled == [pytest.approx(0.02)]
    assert bench.loop._next.ready(1.1) == 3
