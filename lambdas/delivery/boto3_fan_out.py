"""The reference way of posting: boto3's client in a bounded pool of threads.

Posts that wait for their next try wait in a heap and hold no thread.
"""

import heapq
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

from broadcasting.audience import Connection
from broadcasting.clock import Clock
from broadcasting.outcome import Outcome, Settlement, Verdict, verdict_of
from broadcasting.retry import Backoff
from delivery.port import ForbiddenError
from delivery.post import Post

if TYPE_CHECKING:
    from mypy_boto3_apigatewaymanagementapi import ApiGatewayManagementApiClient

CONNECT_TIMEOUT_SECONDS = 2
READ_TIMEOUT_SECONDS = 5
DRAIN_SECONDS = float(CONNECT_TIMEOUT_SECONDS + READ_TIMEOUT_SECONDS)
"""How long past the deadline the last answers are waited for."""


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
        backoff: Backoff | None = None,
    ) -> None:
        self._client = client
        self._workers = workers
        self._clock = clock
        self._backoff = backoff or Backoff()
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="post")

    @property
    def is_paced(self) -> bool:
        """Never: it knows no pace."""
        return False

    def deliver(
        self, frame: str, connections: Iterable[Connection], deadline: float
    ) -> Generator[Settlement, None, None]:
        """Post a frame to connections: see `FanOut`."""
        run = _Run(iter(connections), deadline, self._workers, self._clock, self._backoff)
        data = frame.encode()
        while True:
            for post in run.due_posts():
                self._threads.submit(self._post, run, post, data)
            if run.is_over:
                break
            yield from run.next_settlement()
        yield from run.leave()
        if run.forbidden:
            raise ForbiddenError(run.forbidden)
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
            return Verdict.TRANSIENT, f"{type(error).__name__}: {error}"
        return Verdict.DELIVERED, ""


class _Run:
    """One call of `deliver`: which posts are under way, which wait, and when it ends."""

    def __init__(
        self,
        fresh: Iterator[Connection],
        deadline: float,
        workers: int,
        clock: Clock,
        backoff: Backoff,
    ) -> None:
        self.answers: queue.SimpleQueue[tuple[Post, Verdict, str]] = queue.SimpleQueue()
        self.forbidden = ""
        self.error: Exception | None = None
        """What the audience raised, if it did."""
        self.is_closed = False
        self._fresh: Iterator[Connection] = fresh
        self._deadline = deadline
        self._workers = workers
        self._clock = clock
        self._backoff = backoff
        self._under_way: set[Post] = set()
        self._waiting: list[tuple[float, int, Post]] = []
        self._order = 0

    def due_posts(self) -> Iterator[Post]:
        """Yield the posts to send now: as many as there are idle threads."""
        while not self._is_stopped() and len(self._under_way) < self._workers:
            post = self._take_waiting() or self._take_fresh()
            if post is None:
                return
            post.tries += 1
            self._under_way.add(post)
            yield post

    @property
    def is_over(self) -> bool:
        """Whether nothing is under way, and nothing more will be sent."""
        if self._is_stopped():
            return not self._under_way or self._clock.monotonic() >= self._drained_at()
        return not self._under_way and not self._waiting

    def next_settlement(self) -> Iterator[Settlement]:
        """Wait for the next answer, or for the next post to be due; yield what has ended."""
        try:
            post, verdict, reason = self.answers.get(timeout=self._wait_seconds())
        except queue.Empty:
            return
        self._under_way.discard(post)
        outcome = self._judge(post, verdict, reason)
        if outcome is not None:
            yield post.settle(outcome)

    def leave(self) -> Iterator[Settlement]:
        """Yield the posts that have not ended; a 403 of ours is not counted as their try."""
        self.is_closed = True
        while not self.answers.empty():
            yield from self.next_settlement()
        for post in [*(entry[2] for entry in self._waiting), *self._under_way]:
            if self.forbidden:
                post.tries = 0
            yield post.settle(Outcome.LEFT)

    def _judge(self, post: Post, verdict: Verdict, reason: str) -> Outcome | None:
        outcome = post.judge(verdict, reason, self._backoff)
        if verdict is Verdict.FORBIDDEN:
            self.forbidden = reason
            post.tries = 0
        elif outcome is None:
            self._wait(post, self._backoff.seconds(post.tries, self._clock.jitter()))
        return outcome

    def _wait(self, post: Post, seconds: float) -> None:
        self._order += 1
        heapq.heappush(self._waiting, (self._clock.monotonic() + seconds, self._order, post))

    def _take_waiting(self) -> Post | None:
        if self._waiting and self._waiting[0][0] <= self._clock.monotonic():
            return heapq.heappop(self._waiting)[2]
        return None

    def _take_fresh(self) -> Post | None:
        try:
            return Post(next(self._fresh))
        except StopIteration:
            return None
        except Exception as error:  # noqa: BLE001 - raised when those taken have ended
            self.error, self._fresh = error, iter(())
            return None

    def _is_stopped(self) -> bool:
        return bool(self.forbidden) or self._clock.monotonic() >= self._deadline

    def _drained_at(self) -> float:
        return self._deadline + DRAIN_SECONDS

    def _wait_seconds(self) -> float:
        until = self._drained_at() if self._is_stopped() else self._deadline
        if self._waiting and not self._is_stopped() and len(self._under_way) < self._workers:
            until = min(until, self._waiting[0][0])
        return max(0.0, until - self._clock.monotonic())
