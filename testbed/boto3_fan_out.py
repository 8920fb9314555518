"""The reference way of posting: boto3's client in a bounded pool of threads.

Posts that wait for their next try wait in a heap and hold no thread. The file has more than 200
lines because the reference is read as a whole: the same tests judge it and `SelectorFanOut`.
"""

import heapq
import math
import queue
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from botocore.exceptions import (
    ClientError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
)

from broadcasting.clock import Clock, Jitter
from broadcasting.connection import Connection
from broadcasting.outcome import Outcome, Settlement, Verdict, verdict_of
from broadcasting.retry import Backoff
from delivery.answers import Batch
from delivery.fan_out import TICK_SECONDS, Watch
from delivery.post import Post

if TYPE_CHECKING:
    from mypy_boto3_apigatewaymanagementapi import ApiGatewayManagementApiClient

CONNECT_TIMEOUT_SECONDS = 2
READ_TIMEOUT_SECONDS = 5
DRAIN_SECONDS = float(CONNECT_TIMEOUT_SECONDS + READ_TIMEOUT_SECONDS)
"""How long past the deadline the last answers are waited for."""


_NOTHING_LEFT: Iterator[Connection] = iter(())


class Boto3FanOut:
    """Posts with one boto3 client, shared by `workers` threads.

    The client's connection pool must hold `workers` connections, and its own retries be off.
    """

    def __init__(
        self,
        client: "ApiGatewayManagementApiClient",
        *,
        workers: int,
        clock: Clock,
        jitter: Jitter,
        backoff: Backoff | None = None,
    ) -> None:
        self._client = client
        self._workers = workers
        self._clock = clock
        self._jitter = jitter
        self._backoff = backoff or Backoff()
        self._has_posted = False
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="post")

    @property
    def is_paced(self) -> bool:
        """Never: it knows no pace."""
        return False

    @property
    def protocol(self) -> str:
        """HTTP/1.1, once it has posted: botocore speaks nothing else."""
        return "http/1.1" if self._has_posted else ""

    @property
    def calmed(self) -> int:
        """Never: HTTP/1.1 has no word for that."""
        return 0

    def deliver(
        self,
        frame: str,
        audience: Iterable[Connection],
        deadline: float,
        *,
        watch: Watch | None = None,
    ) -> Generator[Settlement, None, None]:
        """Post a frame to connections: see `FanOut`."""
        watch = watch or Watch()
        run = _Run(
            iter(audience),
            deadline=deadline,
            watch=watch,
            workers=self._workers,
            clock=self._clock,
            jitter=self._jitter,
            backoff=self._backoff,
        )
        data = frame.encode()
        while True:
            for post in run.due_posts():
                self._threads.submit(self._post, run, post, data)
            if run.is_over:
                break
            yield from run.next_settlement()
        yield from run.leave()
        if run.error:
            raise run.error

    def _post(self, run: "_Run", post: Post, data: bytes) -> None:
        if run.is_closed:  # it waited for a thread so long that it was handed over
            return
        verdict, reason = self._answer(post.connection, data)
        run.answers.put((post, verdict, reason))

    def _answer(self, connection: Connection, data: bytes) -> tuple[Verdict, str]:
        try:
            self._client.post_to_connection(ConnectionId=connection.id, Data=data)
        except ClientError as error:
            self._has_posted = True
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            facts = error.response["Error"]
            young = connection.is_young(self._clock.epoch_ms())
            reason = f"{status} {facts.get('Code', '')}: {facts.get('Message', '')}"
            return verdict_of(status, young=young), reason
        except (NoCredentialsError, PartialCredentialsError) as error:
            return Verdict.FORBIDDEN, str(error)
        except ParamValidationError as error:
            return Verdict.REFUSED, str(error)
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not stop the others
            return Verdict.LOST, f"{type(error).__name__}: {error}"
        self._has_posted = True
        return Verdict.DELIVERED, ""


class _Run:
    """One call of `deliver`: which posts are under way, which wait, and when it ends."""

    def __init__(
        self,
        fresh: Iterator[Connection],
        *,
        deadline: float,
        watch: Watch,
        workers: int,
        clock: Clock,
        jitter: Jitter,
        backoff: Backoff,
    ) -> None:
        self.answers: queue.SimpleQueue[tuple[Post, Verdict, str]] = queue.SimpleQueue()
        self.error: Exception | None = None
        """What the audience raised, if it did."""
        self.is_closed = False
        self._fresh: Iterator[Connection] = fresh
        self._deadline = deadline
        self._watch = watch
        self._taken = self._ended = 0
        self._workers = workers
        self._clock = clock
        self._jitter = jitter
        self._backoff = backoff
        self._under_way: set[Post] = set()
        self._waiting: list[tuple[float, int, Post]] = []
        self._order = 0

    def due_posts(self) -> Iterator[Post]:
        """Yield the posts to send now: as many as there are idle threads."""
        while not self._is_stopped() and len(self._under_way) < self._workers:
            if not self._may_start():
                return
            post = self._take_waiting() or self._take_fresh()
            if post is None:
                return
            post.tries += 1
            post.is_probe = self._watch.breaker.probe()
            self._under_way.add(post)
            yield post

    @property
    def is_over(self) -> bool:
        """Whether nothing is under way, and nothing more will be sent."""
        if self._is_stopped():
            return not self._under_way or self._clock.monotonic() >= self._drained_at()
        return self._fresh is _NOTHING_LEFT and not self._under_way and not self._waiting

    def next_settlement(self) -> Iterator[Settlement]:
        """Wait for the next answer, or for the next post to be due; yield what has ended."""
        try:
            post, verdict, reason = self.answers.get(timeout=self._wait_seconds())
        except queue.Empty:
            self._watch.tick()
            return
        self._under_way.discard(post)
        outcome = self._judge(post, verdict, reason)
        if outcome is not None:
            yield post.settle(outcome)

    def leave(self) -> Iterator[Settlement]:
        """Yield the posts that have not ended."""
        self.is_closed = True
        while not self.answers.empty():
            yield from self.next_settlement()
        for post in self._under_way:
            post.abandon()
        self._watch.breaker.abandon(len(self._under_way))
        for post in [*(entry[2] for entry in self._waiting), *self._under_way]:
            post.reason = post.reason or self._watch.breaker.reason
            yield post.settle(Outcome.PENDING)

    def _judge(self, post: Post, verdict: Verdict, reason: str) -> Outcome | None:
        outcome = post.judge(verdict, reason, self._backoff)
        batch, now = Batch(), self._clock.monotonic()
        batch.add(post, verdict, reason)
        self._ended += outcome is not None
        pending = math.inf if self._fresh is not _NOTHING_LEFT else self._taken - self._ended
        self._watch.breaker.observe(batch.observed(), pending=pending, now=now)
        if outcome is None:
            self._wait(post, self._backoff.seconds(post.tries, self._jitter()))
        return outcome

    def _may_start(self) -> bool:
        now = self._clock.monotonic()
        return now < self._watch.pause_at and self._watch.breaker.permits(1, now) > 0

    def _wait(self, post: Post, seconds: float) -> None:
        self._order += 1
        heapq.heappush(self._waiting, (self._clock.monotonic() + seconds, self._order, post))

    def _take_waiting(self) -> Post | None:
        if self._waiting and self._waiting[0][0] <= self._clock.monotonic():
            return heapq.heappop(self._waiting)[2]
        return None

    def _take_fresh(self) -> Post | None:
        try:
            post = Post(next(self._fresh))
        except StopIteration:
            self._fresh = _NOTHING_LEFT
            return None
        except Exception as error:  # noqa: BLE001 - raised when those taken have ended
            self.error, self._fresh = error, _NOTHING_LEFT
            return None
        self._taken += 1
        return post

    def _is_stopped(self) -> bool:
        now = self._clock.monotonic()
        return self._watch.breaker.is_open or now >= min(self._deadline, self._watch.stop_at)

    def _drained_at(self) -> float:
        return self._deadline + DRAIN_SECONDS

    def _wait_seconds(self) -> float:
        until = self._drained_at() if self._is_stopped() else self._deadline
        if self._waiting and not self._is_stopped() and len(self._under_way) < self._workers:
            until = min(until, self._waiting[0][0])
        return min(TICK_SECONDS, max(0.0, until - self._clock.monotonic()))
