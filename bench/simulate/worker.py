"""A worker in virtual time: the real pacer and allowance, and posts that are only numbers.

The file has more than 200 lines because a worker's events all change the same few numbers.
"""

import heapq
import math
import random
from collections import deque
from typing import Protocol

from bench.simulate.quota import Quota
from bench.simulate.row import Row
from bench.simulate.scenario import (
    ANSWER_SECONDS,
    IN_FLIGHT,
    RESERVATION_SECONDS,
    SKEW_SECONDS,
    WORKER_POSTS_PER_SECOND,
    Scenario,
)
from broadcasting.pacing.allowance import Allowance
from broadcasting.pacing.budget import BudgetError
from broadcasting.pacing.pacer import Pacer
from broadcasting.pacing.reservation import Reservation, TatEstimate
from broadcasting.pacing.unlimited import UNLIMITED
from broadcasting.retry import Backoff

_KNOWN = 4_096
"""How many connections a worker has read ahead: see `TAKEN_AHEAD` in delivery."""

_RETRY_GROUP = 16
_BACKOFF = Backoff()


class Agenda(Protocol):
    """Calls what is due at its time."""

    def at(self, when: float, what: "Worker", step: str) -> None:
        """Call a worker's step at a time."""
        ...


class Worker:
    """Posts to its connections. `delivered` have received it, `pending` were tried in vain."""

    def __init__(
        self,
        connections: int,
        *,
        scenario: Scenario,
        quota: Quota,
        row: Row,
        agenda: Agenda,
        chance: random.Random,
    ) -> None:
        self.connections = connections
        self.delivered = 0
        self.pending = 0
        self.began_at = 0.0
        self.settled_at = math.inf
        self.requests = 0
        self._pace = scenario.pace
        self._turn_seconds = scenario.turn_seconds
        self._quota = quota
        self._row = row
        self._agenda = agenda
        self._chance = chance
        self._fresh = connections
        self._retries: list[tuple[float, int, int]] = []
        self._ready: deque[tuple[int, int]] = deque()
        self._answers: deque[tuple[float, int, int, int]] = deque()
        self._in_flight = 0
        self._skew_ms = 1000 * chance.uniform(-SKEW_SECONDS, SKEW_SECONDS)
        self._estimate: TatEstimate | None = None
        self._reservation: Reservation | None = None
        self._granted_ms: float | None = None
        self._turned_at = 0.0
        self._next_at = math.inf
        self._allowance = Allowance(scenario.pace) if scenario.is_shared else None
        self._pacer = Pacer(scenario.pace, 0.0, self._allowance or UNLIMITED)

    def begin(self, now: float) -> None:
        """Start posting."""
        self.began_at = now
        self._turned_at = now - self._turn_seconds
        if self._allowance:
            self._allowance.begin(now)
        self._look_at(now, now)

    def turn(self, now: float) -> None:
        """Take answers, post what may go, ask for more, and say when to look again."""
        if now != self._next_at:
            return  # something else was sooner
        self._next_at = math.inf
        self._take_answers(now)
        while self._retries and self._retries[0][0] <= now:
            _, tries, posts = heapq.heappop(self._retries)
            self._ready.append((tries, posts))
        self._post(now)
        demand = self._demand
        if not demand and not self._in_flight and not self._retries:
            self.settled_at = min(self.settled_at, now)
            if not (self._allowance and self._allowance.uncharged):
                return
        ask_at = self._pacer.ask_at(demand, now)
        if ask_at <= now:
            self._ask(now)
            ask_at = math.inf
        self._look_at(min(ask_at, self._next_event(now)), now)

    @property
    def posted(self) -> int:
        """How many connections have been posted to, at least once."""
        return self.connections - self._fresh

    @property
    def _demand(self) -> int:
        return min(_KNOWN, self._fresh) + sum(posts for _, posts in self._ready)

    def _take_answers(self, now: float) -> None:
        answers = throttled = 0
        while self._answers and self._answers[0][0] <= now:
            at, posts, taken, tries = self._answers.popleft()
            lost = posts - taken
            self._in_flight -= posts
            self.delivered += taken
            is_first = tries == 1
            answers += posts if is_first else taken
            throttled += lost if is_first else 0
            self._wait(lost, tries, at)
        if answers:
            self._pacer.observe(answers, throttled, now)

    def _wait(self, posts: int, tries: int, now: float) -> None:
        """Try throttled posts again, in small groups, each group after a delay of its own."""
        if tries >= _BACKOFF.tries:
            self.pending += posts
            return
        while posts:
            group = min(posts, _RETRY_GROUP)
            due_at = now + _BACKOFF.seconds(tries, self._chance.random())
            heapq.heappush(self._retries, (due_at, tries, group))
            posts -= group

    def _post(self, now: float) -> None:
        elapsed = min(2 * self._turn_seconds, now - self._turned_at)
        self._turned_at = now
        able = min(IN_FLIGHT - self._in_flight, round(elapsed * WORKER_POSTS_PER_SECOND))
        demand = self._demand
        if not able or not demand:
            return
        admitted = self._pacer.admit(min(able, demand), now, demand)
        while admitted:
            tries, posts = self._ready.popleft() if self._ready else (0, self._fresh)
            sent = min(posts, admitted)
            if not tries:
                self._fresh -= sent
            elif sent < posts:
                self._ready.appendleft((tries, posts - sent))
            taken = self._quota.take(sent, now)
            self._answers.append((now + ANSWER_SECONDS, sent, taken, tries + 1))
            self._in_flight += sent
            admitted -= sent

    def _next_event(self, now: float) -> float:
        soonest = self._answers[0][0] if self._answers else math.inf
        if self._retries:
            soonest = min(soonest, self._retries[0][0])
        if self._demand and self._in_flight < IN_FLIGHT:
            soonest = min(soonest, now + self._pacer.wait_seconds(self._demand))
        return max(soonest, now + self._turn_seconds)

    def _look_at(self, when: float, now: float) -> None:
        when = max(when, now)
        if when < self._next_at:
            self._next_at = when
            self._agenda.at(when, self, "turn")

    def _epoch_ms(self, now: float) -> float:
        return 1e12 + 1000 * now + self._skew_ms

    def _ask(self, now: float) -> None:
        assert self._allowance
        ask = self._allowance.ask(self._demand, self._pacer.cost)
        self._reservation = Reservation(
            ask, self._pace, now_ms=self._epoch_ms(now), estimate=self._estimate
        )
        self._agenda.at(now + self._half_way(), self, "write")

    def _half_way(self) -> float:
        return self._chance.uniform(*RESERVATION_SECONDS) / 2

    def write(self, now: float) -> None:
        """Change the row: the request has come there."""
        assert self._reservation
        self.requests += 1
        is_written = self._row.change(self._reservation.write)
        self._granted_ms = self._row.tat_ms if is_written else None
        if not is_written:
            self._reservation.refused(self._row.tat_ms)
        self._agenda.at(now + self._half_way(), self, "answer")

    def answer(self, now: float) -> None:
        """Take the row's answer."""
        assert self._reservation
        assert self._allowance
        if self._granted_ms is None:
            if not self._reservation.may_try:
                raise BudgetError("refused too often")
            self._agenda.at(now + self._half_way(), self, "write")
            return
        grant, self._estimate = self._reservation.granted(self._granted_ms)
        self._allowance.receive(
            grant.posts,
            opens_at=now + (grant.opens_at_ms - self._epoch_ms(now)) / 1000,
            seconds_per_post=grant.ms_per_post / 1000,
            now=now,
        )
        self._look_at(now, now)
