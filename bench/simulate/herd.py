"""A herd in virtual time: clients that all find the same gap at once, and ask to be told.

A broadcast goes on meanwhile, at the deployed pace. What limits both is the account: its quota, the
throttle of the clients' route, the functions that may run at once, and the reads that the row of
the stream's counter takes. The clients wait as docs/user/clients.md asks of them.
"""

import heapq
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from bench.target import Limit, Target
from testbed.stand_in.token_bucket import TokenBucket

CLIENTS = 30_000
QUOTA, QUOTA_BURST = 10_000.0, 5_000.0
"""Requests a second of an AWS account, and its bucket."""

CLIENT_RATE, CLIENT_BURST = 1_000.0, 1_000.0
"""The throttle of the clients' route, as it is deployed by default."""

PACE, PACE_BURST = 8_000.0, 4_000.0
CONCURRENCY = 100
"""Functions of one kind that may run at once: a tenth of an account's."""

ANSWER_SECONDS, COLD_SECONDS = 0.03, 0.6
READS_PER_SECOND = 3_000.0
"""What a partition takes; each answer reads the counter once, strongly consistent."""

GAP_WAIT_SECONDS, GAP_JITTER_SECONDS = 2.0, 2.0
RETRY_SECONDS, MOST_RETRY_SECONDS = 4.0, 16.0
"""A request that is refused is made again after a wait with full jitter that doubles."""

_TICK_SECONDS = 0.01
_LIMIT_SECONDS = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Herd:
    """What came of it. `seconds` is when the last client had what it missed.

    `refused_count` says whether requests that the route refuses take from the quota, too.
    """

    refused_count: bool
    seconds: float
    tries: float
    """Requests for each client."""
    busy: int
    """Requests that a busy function or table refused."""
    post_seconds: float
    alone_post_seconds: float
    """The broadcast's time with the herd, and without it."""

    @property
    def slower(self) -> float:
        """How much longer the broadcast takes because of the herd."""
        return self.post_seconds / self.alone_post_seconds


def herd(seed: int, *, clients: int = CLIENTS, refused_count: bool = False) -> Herd:
    """Simulate one herd. `refused_count`: what the route refuses takes from the quota as well.

    AWS applies the throttle of a route before that of the account:
    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-request-throttling.html
    """
    random = Random(seed)  # noqa: S311 - nothing is secret here
    return _Herd(random, clients, refused_count=refused_count).run()


def judge_herds(every: Mapping[str, Herd]) -> tuple[Target, ...]:
    """Return the targets of a herd, by the worst of those in which refused requests are free."""
    herds = {name: one for name, one in every.items() if not one.refused_count}
    slowest = max(herds, key=lambda name: herds[name].seconds)
    hardest = max(herds, key=lambda name: herds[name].slower)
    return (
        Limit("≤", 60, "s").judge(
            f"{CLIENTS:,} clients find a gap at once: all whole",
            herds[slowest].seconds,
            worst_run=slowest,
        ),
        Limit("≤", 1.5, "x").judge(
            "posts of others meanwhile, time against alone",
            herds[hardest].slower,
            worst_run=hardest,
        ),
    )


def run_herds() -> dict[str, Herd]:
    """Simulate herds of several seeds, with either reading of what counts for the quota."""
    return {
        f"seed {seed}{', refused requests count' if counts else ''}": herd(
            seed, refused_count=counts
        )
        for seed in range(3)
        for counts in (False, True)
    }


class _Herd:
    """One run: requests wait in a heap for their times, posts are made in each tick."""

    def __init__(self, random: Random, clients: int, *, refused_count: bool) -> None:
        self._random = random
        self._refused_count = refused_count
        self._quota = TokenBucket(QUOTA, QUOTA_BURST, 0.0)
        self._route = TokenBucket(CLIENT_RATE, CLIENT_BURST, 0.0)
        self._reads = TokenBucket(READS_PER_SECOND, READS_PER_SECOND, 0.0)
        self._functions: list[float] = []
        """When each function that was started is free."""
        self._asks = [(self._first_ask(), 0) for _ in range(clients)]
        self._clients = clients
        self._posts = clients
        self._tries = self._busy = 0
        self._last_answer = self._last_post = 0.0

    def run(self) -> Herd:
        heapq.heapify(self._asks)
        pace = TokenBucket(PACE, PACE_BURST, GAP_WAIT_SECONDS)
        now = GAP_WAIT_SECONDS
        while (self._asks or self._posts) and now < _LIMIT_SECONDS:
            self._ask_until(now)
            self._post(now, pace)
            now += _TICK_SECONDS
        return Herd(
            refused_count=self._refused_count,
            seconds=self._last_answer if not self._asks else _LIMIT_SECONDS,
            tries=self._tries / self._clients,
            busy=self._busy,
            post_seconds=self._last_post - GAP_WAIT_SECONDS,
            alone_post_seconds=(self._clients - PACE_BURST) / PACE,
        )

    def _first_ask(self) -> float:
        return GAP_WAIT_SECONDS + self._random.uniform(0, GAP_JITTER_SECONDS)

    def _ask_until(self, now: float) -> None:
        while self._asks and self._asks[0][0] <= now:
            at, tries = heapq.heappop(self._asks)
            self._tries += 1
            if not self._is_answered(at):
                wait = min(MOST_RETRY_SECONDS, RETRY_SECONDS * 2.0**tries)
                heapq.heappush(self._asks, (at + self._random.uniform(0, wait), tries + 1))

    def _is_answered(self, at: float) -> bool:
        if not self._route.take(at):
            if self._refused_count:
                self._quota.take(at)
            return False
        if not self._quota.take(at):
            return False
        free_at = self._start_function(at)
        if free_at is None or not self._reads.take(at):
            self._busy += 1
            return False
        self._last_answer = max(self._last_answer, free_at)
        return True

    def _start_function(self, at: float) -> float | None:
        """Return when a function will have answered; None when too many run."""
        if self._functions and self._functions[0] <= at:
            heapq.heappop(self._functions)
            seconds = ANSWER_SECONDS
        elif len(self._functions) < CONCURRENCY:
            seconds = COLD_SECONDS
        else:
            return None
        heapq.heappush(self._functions, at + seconds)
        return at + seconds

    def _post(self, now: float, pace: TokenBucket) -> None:
        while self._posts and pace.take(now):
            if not self._quota.take(now):
                return  # answered 429: it is made again in a later tick, and has cost its grant
            self._posts -= 1
            self._last_post = now
