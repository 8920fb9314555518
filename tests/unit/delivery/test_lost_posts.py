"""How many posts one thread loses when the endpoint answers no more, by what it reads in a turn.

The loop, its judge, its gate, the breaker and the pool are the real ones; the wire is not.
"""

import selectors
import socket
from collections.abc import Iterator, Sequence
from contextlib import closing

import pytest

from broadcasting.breaker import PROBES_AT_ONCE, WINDOW_POSTS, Breaker
from broadcasting.connection import Connection
from broadcasting.pacing.pace import Pace
from broadcasting.retry import Backoff
from broadcasting.trouble import Answers
from delivery.fan_out import Watch
from delivery.gate import PostGate
from delivery.http.connection import Ending, Response
from delivery.http.connector import Connector
from delivery.http.endpoint import parse_endpoint
from delivery.http.pool import HttpPool, Timeouts
from delivery.http.request import Request
from delivery.judge import Judge
from delivery.post import Post
from delivery.post_loop import PostLoop
from delivery.retry_queue import RetryQueue
from delivery.session import DeliverySession
from delivery.shared_pacer import make_pacer
from delivery.signing import Credentials, FrameSigner, Signer
from testbed.model.fakes import OLD_MS, FakeTime

IN_FLIGHT = 512
UNPACED = Pace(posts_per_second=1e6, burst=1e6)
ENDPOINT = parse_endpoint("http://127.0.0.1:1/prod")
OK, LOST = Response(200), Response(503)


class _Wire:
    """A connection that carries all posts, of which the test says how many end in a turn.

    It is always readable. The oldest posts end first, the answered ones before the lost ones.
    """

    protocol, room = "wire", 10_000
    is_usable, was_idle = True, False
    takes_none = wants_calm = False

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._posts: list[Post] = []
        self.interest = self.watched = selectors.EVENT_READ
        self.next = (0, 0)
        """How many posts are answered, and how many are lost, when it is read next."""

    @property
    def under_way(self) -> int:
        """How many posts have not ended."""
        return len(self._posts)

    def fileno(self) -> int:
        """Return what is always readable."""
        return self._socket.fileno()

    def send(self, requests: Sequence[tuple[Post, Request]], _now: float) -> None:
        """Take posts."""
        self._posts += [post for post, _ in requests]

    def advance(self) -> list[Ending[Post]]:
        """Return the posts that end in this turn."""
        answered, lost = self.next
        results: list[Response | Exception] = [*[OK] * answered, *[LOST] * lost]
        endings = list(zip(self._posts, results, strict=False))
        del self._posts[: len(endings)]
        return endings

    def look(self, _now: float) -> None:
        """Wait for nothing."""

    def give_up(self, _until: float, _error: Exception) -> list[Ending[Post]]:
        """Give nothing up: no time passes."""
        return []

    def close(self, _error: Exception) -> list[Ending[Post]]:
        """Close it."""
        self._socket.close()
        return []


class _Bench:
    """A loop with more to post than it ever does, and the wire that it posts to."""

    def __init__(self, client: socket.socket) -> None:
        clock = FakeTime().clock
        self.wire, self.breaker = _Wire(client), Breaker()
        self.pool: HttpPool[Post] = HttpPool(
            Connector(ENDPOINT, None, clock),
            size=IN_FLIGHT,
            most_connections=1,
            timeouts=Timeouts(),
            clock=clock,
        )
        self.pool._selector.register(self.wire, self.wire.interest, self.wire)
        self.pool._connections.add(self.wire)
        session = DeliverySession(threads=1, fewest_waiting=0, tick=lambda: None)
        for number in range(5_000):
            session.add(Connection(f"c{number}", OLD_MS))
        gate = PostGate(Watch(self.breaker), deadline=100.0, now=0.0, places=IN_FLIGHT)
        signer = Signer(
            ENDPOINT, region="eu-west-1", credentials=lambda: Credentials("id", "key", None)
        )
        pacer, retries = make_pacer(UNPACED, clock, None, lambda _: None), RetryQueue()
        judge = Judge(
            gate, retries, pacer=pacer, backoff=Backoff(), clock=clock, jitter=lambda: 1.0
        )
        self._loop = PostLoop(
            session,
            gate,
            FrameSigner(signer, b"hi", clock),
            self.pool,
            retries=retries,
            judge=judge,
            pacer=pacer,
            clock=clock,
        )

    def turn(self, answered: int = 0, lost: int = 0) -> None:
        """Let the loop post what it may, then read these endings; the other posts go on.

        A connection that carries nothing more after that takes no posts in the next turn.
        """
        self.wire.next = (answered, lost)
        self._loop._turn()


@pytest.fixture
def bench() -> Iterator[_Bench]:
    """Return a loop that has had a thousand posts answered, and has as many under way as it may."""
    client, server = socket.socketpair()
    server.send(b"!")
    with server, closing(client):
        bench = _Bench(client)
        for answered in (500, 500, 0):
            bench.turn(answered)
        assert (bench.breaker.answers.answered, bench.pool.under_way) == (1_000, IN_FLIGHT)
        yield bench
        bench.pool.close()


@pytest.mark.parametrize(
    "turns",
    [
        [(0, 1)] * WINDOW_POSTS,
        [(0, IN_FLIGHT)],
        [(1, 1)] * (IN_FLIGHT // 2),
        [(64, 64)] * 4,
        [(128, 128)] * 2,
        [(256, 256)],
        [(IN_FLIGHT // 2, 0), (0, IN_FLIGHT // 2)],
        [(300, 212), (0, 30)],
    ],
)
def test_loop_loses_no_more_posts_than_were_under_way_and_some_in_whatever_order_they_are_read(
    bench: _Bench, turns: list[tuple[int, int]]
) -> None:
    """Answers of before the trouble are read among losses: these losses are not made up for."""
    for answered, lost in turns:
        bench.turn(answered, lost)
    while bench.breaker.is_closed:
        bench.turn(0, 1)
    while bench.pool.under_way:
        bench.turn(0, bench.pool.under_way)

    assert bench.breaker.answers.lost <= IN_FLIGHT + WINDOW_POSTS + PROBES_AT_ONCE


def test_loop_makes_up_for_losses_when_later_posts_were_answered(bench: _Bench) -> None:
    """It has as many posts under way again as it may."""
    bench.turn(200, 100)
    bench.turn()
    meanwhile = bench.pool.under_way
    for _ in range(3):
        bench.turn(200)
    bench.turn()

    assert (meanwhile, bench.pool.under_way) == (IN_FLIGHT - 100 + WINDOW_POSTS, IN_FLIGHT)
    assert bench.breaker.answers == Answers(1_800, lost=100)


def test_loop_uses_all_places_again_when_the_breaker_has_probed(bench: _Bench) -> None:
    """The trouble is over for all of them, not for the few that were answered."""
    bench.turn(200, 200)
    bench.turn(0, IN_FLIGHT)
    bench.turn()
    bench.turn()
    probes = bench.pool.under_way
    bench.turn(probes)
    bench.turn()
    bench.turn()

    assert (probes, bench.pool.under_way) == (PROBES_AT_ONCE, IN_FLIGHT)
