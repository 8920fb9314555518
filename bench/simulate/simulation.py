"""Runs one scenario from its first post to its last, and says what came of it."""

import heapq
import random
from itertools import count

from bench.simulate.quota import BIN_SECONDS, Quota
from bench.simulate.result import Run
from bench.simulate.row import Row
from bench.simulate.scenario import SMALL, Scenario
from bench.simulate.worker import Worker

_LIMIT_OF_FLOOR = 4.0
_LIMIT_SECONDS = 60.0


class Simulation:
    """The agenda of all that happens: what is due next is done next."""

    def __init__(self, scenario: Scenario, *, seed: int = 1) -> None:
        self._scenario = scenario
        self._chance = random.Random(seed)  # noqa: S311 - a repeatable one
        self._quota = Quota(scenario.quota)
        self._row = Row()
        self._due: list[tuple[float, int, Worker, str]] = []
        self._order = count()
        share, more = divmod(scenario.connections, scenario.workers)
        self._workers = [self._worker(share + (n < more)) for n in range(scenario.workers)]
        self._small = self._worker(SMALL)
        self._shares: list[int] = []

    def at(self, when: float, what: Worker, step: str) -> None:
        """Put a worker's step on the agenda."""
        heapq.heappush(self._due, (when, next(self._order), what, step))

    def run(self, *, has_trace: bool = False) -> Run:
        """Do everything."""
        for worker in self._workers:
            worker.begin(0.0)
        limit = _LIMIT_SECONDS + _LIMIT_OF_FLOOR * self._scenario.floor_seconds
        now = 0.0
        while self._due and now < limit:
            now, _, worker, step = heapq.heappop(self._due)
            getattr(worker, step)(now)
            if not self._shares and self._quota.taken >= self._scenario.connections / 2:
                self._come_halfway(now)
        return self._summed_up(has_trace=has_trace)

    def _worker(self, connections: int) -> Worker:
        return Worker(
            connections,
            scenario=self._scenario,
            quota=self._quota,
            row=self._row,
            agenda=self,
            chance=self._chance,
        )

    def _come_halfway(self, now: float) -> None:
        self._shares = [worker.posted for worker in self._workers]
        if self._scenario.has_others:
            self._quota.let_others_in(now)
        self._small.begin(now)

    def _summed_up(self, *, has_trace: bool) -> Run:
        scenario, quota = self._scenario, self._quota
        seconds = max(worker.settled_at for worker in self._workers)
        mean = sum(self._shares) / len(self._shares)
        bins = range(max(quota.taken_by_bin) + 1) if has_trace else ()
        return Run(
            workers=scenario.workers,
            quota=scenario.quota,
            connections=scenario.connections,
            has_others=scenario.has_others,
            is_shared=scenario.is_shared,
            floor_seconds=scenario.floor_seconds,
            seconds=seconds,
            throttled_share=quota.throttled / (quota.throttled + quota.taken),
            pending=sum(worker.pending for worker in (*self._workers, self._small)),
            slowest_share=min(self._shares) / mean,
            small_seconds=self._small.settled_at - self._small.began_at,
            requests=self._row.requests,
            requests_per_second=self._row.requests / seconds,
            small_requests=self._small.requests,
            trace=tuple(
                (n * BIN_SECONDS, quota.taken_by_bin[n], quota.throttled_by_bin[n]) for n in bins
            ),
        )
