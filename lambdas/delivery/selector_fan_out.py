"""The fast way of posting: a few threads, each driving many keep-alive connections at once."""

import ssl
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from threading import Lock

from broadcasting.clock import Clock, Jitter
from broadcasting.outcome import Settlement
from broadcasting.pacing.budget import Budget
from broadcasting.pacing.pace import Pace
from broadcasting.retry import Backoff
from delivery.fan_out import Audience, Watch
from delivery.feeder import Feeder
from delivery.gate import PostGate
from delivery.http.connector import Connector
from delivery.http.endpoint import Endpoint
from delivery.http.pool import HttpPool, Timeouts
from delivery.judge import Judge
from delivery.post import Post
from delivery.post_loop import PostLoop
from delivery.retry_queue import RetryQueue
from delivery.session import DeliverySession
from delivery.shared_pacer import make_pacer
from delivery.signing import Credentials, FrameSigner, Signer

THREADS = 1
IN_FLIGHT = 2_048
"""The best shape that was measured: see docs/contributor/delivery.md."""

MOST_CONNECTIONS = 768
"""A function has 1,024 descriptors, and needs some of them for DynamoDB and SQS:
https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""

MOST_BYTES = 32 * 1024 * 1024
"""Frames under way together hold no more than this: each is in memory once more while it is sent,
and all of them must be through before the first answer is given up."""

TAKEN_AHEAD = 1_024
"""This many connections are taken ahead of need, or as many as posts may be under way, if that is
more: memory stays flat whatever the audience's size."""


class SelectorFanOut:
    """Makes up to `in_flight` posts at once, in one call at a time; keeps its connections open.

    With a `budget` it posts only what it has reserved there; while that fails, it goes on at its
    share of a small rate, which is for `workers` at most, and `warn` is told why.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        region: str,
        credentials: Callable[[], Credentials | None],
        tls: ssl.SSLContext | None,
        pace: Pace,
        clock: Clock,
        jitter: Jitter,
        threads: int = THREADS,
        in_flight: int = IN_FLIGHT,
        backoff: Backoff | None = None,
        timeouts: Timeouts | None = None,
        budget: Budget | None = None,
        workers: int = 1,
        warn: Callable[[Exception], None] = lambda _: None,
    ) -> None:
        self._clock = clock
        self._jitter = jitter
        self._in_flight = in_flight
        self._backoff = backoff or Backoff()
        self._timeouts = timeouts or Timeouts()
        self._signer = Signer(endpoint, region=region, credentials=credentials)
        self._pacer = make_pacer(pace, clock, budget, warn, workers=workers)
        self._connector = Connector(endpoint, tls, clock)
        shares = _shares(in_flight, threads)
        self._pools = [
            HttpPool[Post](
                self._connector,
                size=size,
                most_connections=MOST_CONNECTIONS // len(shares),
                timeouts=self._timeouts,
                clock=clock,
            )
            for size in shares
        ]
        self._threads = ThreadPoolExecutor(len(self._pools), thread_name_prefix="post")
        self._is_free = Lock()

    @property
    def is_paced(self) -> bool:
        """Whether it is the pace that posts wait for: see `FanOut`."""
        return self._pacer.is_limiting

    @property
    def protocol(self) -> str:
        """What its connections spoke in the last call: see `FanOut`."""
        return "+".join(sorted(set[str]().union(*(pool.protocols for pool in self._pools))))

    @property
    def calmed(self) -> int:
        """How often the server has asked for calm: see `FanOut`."""
        return self._connector.calmed

    def deliver(
        self,
        frame: str,
        audience: Audience,
        deadline: float,
        *,
        watch: Watch | None = None,
    ) -> Generator[Settlement, None, None]:
        """Post a frame to an audience: see `FanOut`. Ends at the deadline at the latest.

        Raises RuntimeError while another call has not ended.
        """
        if not self._is_free.acquire(blocking=False):
            raise RuntimeError("one broadcast at a time: another call of deliver has not ended")
        try:
            self._make_ready(deadline)
            yield from self._deliver(frame, audience, deadline, watch or Watch())
        finally:
            self._is_free.release()

    def _deliver(
        self, frame: str, audience: Audience, deadline: float, watch: Watch
    ) -> Generator[Settlement, None, None]:
        clock, data = self._clock, frame.encode()
        self._connector.expect(len(data))
        threads, most_waiting = len(self._pools), max(TAKEN_AHEAD, self._in_flight)
        most = MOST_BYTES // threads // max(1, len(data))
        places, now = sum(pool.limit(most) for pool in self._pools), clock.monotonic()
        gate = PostGate(watch, deadline=deadline, now=now, places=places, threads=threads)
        session = DeliverySession(
            threads=threads, fewest_waiting=most_waiting // 2, tick=watch.tick
        )
        signer = FrameSigner(self._signer, data, clock)
        loops = [self._loop(session, gate, signer, pool) for pool in self._pools]
        feeder = Feeder(session, gate, loops, audience, most_waiting=most_waiting, clock=clock)
        self._pacer.begin(feeder.demand, lambda: _wake(loops))
        driven: list[Future[None]] = []
        try:
            driven += [self._threads.submit(loop.drive) for loop in loops]
            yield from feeder.gather()
        finally:
            gate.cancel(clock.monotonic())
            _stop(driven, loops)
            self._pacer.end()
        for future in driven:
            future.result()
        if feeder.error:
            raise feeder.error

    def _loop(
        self, session: DeliverySession, gate: PostGate, signer: FrameSigner, pool: HttpPool[Post]
    ) -> PostLoop:
        """Return what one thread does for a session."""
        pacer, clock, retries = self._pacer, self._clock, RetryQueue()
        judge = Judge(
            gate, retries, pacer=pacer, backoff=self._backoff, clock=clock, jitter=self._jitter
        )
        return PostLoop(
            session, gate, signer, pool, retries=retries, judge=judge, pacer=pacer, clock=clock
        )

    def close(self) -> None:
        """Close every connection. A function never does: it is frozen between two calls."""
        self._threads.shutdown()
        self._pacer.close()
        self._connector.close()
        for pool in self._pools:
            pool.close()

    def _make_ready(self, deadline: float) -> None:
        """Resolve the host, and drop connections that the server will have closed by now."""
        for pool in self._pools:
            pool.drop_idle(self._clock.epoch_ms() - int(self._timeouts.idle_seconds * 1000))
        left_seconds = deadline - self._clock.monotonic()
        self._connector.resolve(max(0.0, min(self._timeouts.connect_seconds, left_seconds)))


def _wake(loops: list[PostLoop]) -> None:
    """Have the loops that could post look whether they may now."""
    for loop in loops:
        if loop.wants_posts:
            loop.wake()


def _stop(driven: list[Future[None]], loops: list[PostLoop]) -> None:
    for loop in loops:
        loop.wake()
    wait(driven)


def _shares(in_flight: int, threads: int) -> list[int]:
    """Divide the posts at once among the threads; each has one at least."""
    threads = min(threads, in_flight)
    return [in_flight // threads + (n < in_flight % threads) for n in range(threads)]
