"""A cut of all clients in virtual time: their connections end at once, and all come back.

The stage lets `CONNECT_RATE` of them in a second and refuses the others; a client that is let in
joins, and is back when it has the answer. With a warning (`bye` with `afterMs`) each comes back at
a random moment of that time. Refused joins are asked again as our clients do.
"""

import heapq
from collections import deque
from dataclasses import dataclass
from random import Random

from bench.simulate.backoffs import BACKOFFS, OURS
from bench.simulate.herd import (
    ANSWER_SECONDS,
    CLIENT_BURST,
    CLIENT_RATE,
    CLIENTS,
    QUOTA,
    QUOTA_BURST,
)
from crier.listening.waits import Waits
from testbed.stand_in.token_bucket import TokenBucket

CONNECT_RATE, CONNECT_BURST = 500.0, 500.0
"""The throttle of connects: the default rate, and half of the default bucket, to be careful."""

CONNECT_SECONDS, REFUSAL_SECONDS = 0.1, 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconnects:
    """What came of it. `seconds` is when the last client had joined.

    `refused_count` says whether connects that the stage refuses take from the quota, too.
    """

    backoff: str
    is_warned: bool
    refused_count: bool
    seconds: float
    tries: float
    """Connects for each client."""
    most_tries: int
    """Connects of the client that had to try most often."""
    worst_second: int
    """Connects in the second, wherever it begins, in which most try."""
    refused: int
    quota_taken: int
    """Requests of the quota that refused connects took."""


def reconnect(
    seed: int,
    *,
    backoff: str = OURS,
    warned_seconds: float = 0.0,
    clients: int = CLIENTS,
    refused_count: bool = False,
) -> Reconnects:
    """Simulate one cut of all. `warned_seconds`: the time in which the warning spreads clients."""
    random = Random(seed)  # noqa: S311 - nothing is secret here
    run = _Run(random, backoff, refused_count=refused_count)
    return run.run(clients, warned_seconds)


@dataclass(slots=True)
class _Client:
    """One client: what it has tried, and how long it waited before the last try."""

    waited: float
    tries: int = 0
    joins: int = 0
    is_connected: bool = False


class _Run:
    """One run: what clients do next waits in a heap for its time."""

    def __init__(self, random: Random, backoff: str, *, refused_count: bool) -> None:
        self._random = random
        self._backoff = backoff
        self._refused_count = refused_count
        self._stage = TokenBucket(CONNECT_RATE, CONNECT_BURST, 0.0)
        self._route = TokenBucket(CLIENT_RATE, CLIENT_BURST, 0.0)
        self._quota = TokenBucket(QUOTA, QUOTA_BURST, 0.0)
        self._agenda: list[tuple[float, int]] = []
        self._clients: list[_Client] = []
        self._last_second: deque[float] = deque()
        self._worst_second = self._refused = self._quota_taken = 0
        self._back_at = 0.0

    def run(self, clients: int, warned_seconds: float) -> Reconnects:
        self._begin(clients, warned_seconds)
        while self._agenda:
            now, number = heapq.heappop(self._agenda)
            client = self._clients[number]
            next_at = self._join(client, now) if client.is_connected else self._try(client, now)
            if next_at is not None:
                heapq.heappush(self._agenda, (next_at, number))
        return Reconnects(
            backoff=self._backoff,
            is_warned=warned_seconds > 0,
            refused_count=self._refused_count,
            seconds=self._back_at,
            tries=sum(client.tries for client in self._clients) / clients,
            most_tries=max(client.tries for client in self._clients),
            worst_second=self._worst_second,
            refused=self._refused,
            quota_taken=self._quota_taken,
        )

    def _begin(self, clients: int, warned_seconds: float) -> None:
        for number in range(clients):
            spread = self._random.uniform(0, warned_seconds)
            wait = spread if warned_seconds else self._wait(0, 0.0)
            self._clients.append(_Client(wait))
            self._agenda.append((wait, number))
        heapq.heapify(self._agenda)

    def _wait(self, failures: int, before: float) -> float:
        return BACKOFFS[self._backoff](failures, before, self._random)

    def _try(self, client: _Client, now: float) -> float:
        """Connect, and return when the client does its next step."""
        client.tries += 1
        self._count(now)
        if self._is_let_in(now):
            client.is_connected = True
            return now + CONNECT_SECONDS
        self._refused += 1
        client.waited = self._wait(client.tries, client.waited)
        return now + REFUSAL_SECONDS + client.waited

    def _is_let_in(self, now: float) -> bool:
        if self._stage.take(now):
            return self._quota.take(now)
        if self._refused_count:
            self._quota_taken += self._quota.take(now)
        return False

    def _join(self, client: _Client, now: float) -> float | None:
        """Join; return when to ask again, or None when the client is back."""
        if self._route.take(now) and self._quota.take(now):
            self._back_at = max(self._back_at, now + ANSWER_SECONDS)
            return None
        wait_ms = Waits(jitter=self._random.random).after_throttling(client.joins)
        client.joins += 1
        return now + wait_ms / 1000

    def _count(self, now: float) -> None:
        """Count the connects of the second that ends now."""
        self._last_second.append(now)
        while self._last_second[0] <= now - 1:
            self._last_second.popleft()
        self._worst_second = max(self._worst_second, len(self._last_second))
