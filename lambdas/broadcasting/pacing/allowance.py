"""What one worker may post of the budget that it shares: granted posts, and a small head start."""

import math
from collections import deque

from broadcasting.pacing.budget import Ask, small_posts
from broadcasting.pacing.held_grant import FRESH_SECONDS, NOTHING, HeldGrant
from broadcasting.pacing.pace import Pace

LEAD_SECONDS = 0.03
"""How long before the last granted post goes more are asked for."""

LINGER_SECONDS = 0.005
"""How long a debt waits, so that one request pays for the whole of a small broadcast."""

LOCAL_SHARE = 0.05
"""The part of the rate that all workers together take when they cannot reach the budget."""

LOCAL_SECONDS = 1.0
"""How long a worker posts its share of that before it asks again."""

_MOST_HEAD_START = 100.0
_HEAD_START_SHARE = 1 / 64
"""So that 64 workers that begin at once have no more than the burst."""
_FASTEST_POSTS_PER_SECOND = 20_000.0
"""Faster than one vCPU posts."""


class Allowance:
    """Keeps account of granted posts, and knows when to ask for more. Times are monotonic seconds.

    A small broadcast of a worker that the budget does not hold up begins at once, with posts that
    are charged with the next reservation: its head start. A big one waits for its first grant,
    and so does any while the budget cannot be reached: then there are `workers` at most that share
    a small part of the rate evenly, a post per second each at least.
    """

    def __init__(self, pace: Pace, *, workers: int = 1) -> None:
        self._pace = pace
        self._local_posts_per_second = max(1.0, LOCAL_SHARE * pace.posts_per_second / workers)
        self._locally_at = -math.inf
        self._small_posts = small_posts(pace)
        self._head_start = max(1.0, min(_MOST_HEAD_START, _HEAD_START_SHARE * pace.burst // 1))
        self._held: deque[HeldGrant] = deque()
        self._ahead = 0.0
        self._returned = 0.0
        self._overdrawn = 0.0
        self._uncharged = 0.0
        self._indebted_at = -math.inf
        self._taken = 0.0
        self._rested_at = -math.inf
        self._is_asking = False
        self._is_small = True
        self.is_alone = False
        """Whether the budget could not be reached when it was asked last."""

    @property
    def uncharged(self) -> float:
        """How many posts have gone that are not charged yet."""
        return self._uncharged

    @property
    def is_asking(self) -> bool:
        """Whether a reservation is under way."""
        return self._is_asking

    def begin(self, now: float) -> None:
        """Begin a broadcast."""
        self._returned = self._taken = 0.0
        self._is_small = True
        is_busy = self._uncharged or self._is_asking or self.is_alone
        self._ahead = 0.0 if is_busy or now < self._rested_at else self._head_start

    def take(self, wanted: int, demand: int, now: float, cost: float, *, batch: float = 1.0) -> int:
        """Return how many of the wanted posts may go; each costs so many granted ones.

        The last one goes with one: what it costs besides is owed, and paid before the next goes.
        Less than a batch waits while more is just about to open; not at the small rate of a worker
        that cannot reach the budget.
        """
        batch = 1.0 if self.is_alone else batch
        self._judge_size(demand)
        self._drop_stale(now)
        if self._overdrawn:
            self._overdrawn = self._spend(self._overdrawn, now)
        usable = self._usable(now) + self._ahead
        if self._overdrawn or usable < 1.0 - NOTHING:
            return 0
        if usable < min(wanted * cost, batch) and self._is_opening(now):
            return 0
        taken = min(wanted, int((usable - 1.0) / cost + NOTHING) + 1)
        self._taken += taken
        self._overdrawn = self._spend(taken * cost, now)
        return taken

    def give_back(self, posts: int, cost: float) -> None:
        """Take back what was taken and not posted."""
        self._taken -= posts
        granted = posts * cost
        if not self._is_asking:  # what is not charged yet need not be
            unpaid = min(granted, self._uncharged)
            self._uncharged -= unpaid
            self._ahead += unpaid
            granted -= unpaid
        self._returned += granted

    def wait_seconds(self, now: float, *, batch: float = 1.0) -> float:
        """Return how long it takes until the next posts may go, infinite if that is unknown."""
        batch = 1.0 if self.is_alone else batch
        usable = self._usable(now) + self._ahead
        is_batch = usable >= batch or not self._is_opening(now)
        if is_batch and not self._overdrawn and usable >= 1.0 - NOTHING:
            return 0.0
        missing = max(1.0, batch - usable)
        more_at = (one.opened_at(one.opened(now) + missing, now) for one in self._held)
        return max(0.0, min(more_at, default=math.inf) - now)

    def ask_at(self, demand: int, now: float, cost: float) -> float:
        """Return when to ask for more, infinite for not at all as things are."""
        if self._is_asking:
            return math.inf
        self._judge_size(demand)
        at = math.inf
        if self._uncharged:
            is_urgent = self._uncharged >= 0.5 * self._head_start
            at = now if is_urgent else self._indebted_at + LINGER_SECONDS
        need = self._need(demand, cost)
        if need > 0 and self._ahead < 1.0:
            at = min(at, self._low_at(need, now))
        return at

    def ask(self, demand: int, cost: float) -> Ask:
        """Return what to ask for; until it is received or refused nothing else is."""
        self._judge_size(demand)
        self._is_asking = True
        most = max(0, math.ceil(self._need(demand, cost)))
        return Ask(math.ceil(self._uncharged), most, self._is_small)

    def receive(self, posts: int, *, opens_at: float, seconds_per_post: float, now: float) -> None:
        """Take a grant; its first posts pay for the debt, what has gone since asking included."""
        paid = min(self._uncharged, float(posts))
        self._uncharged -= paid
        self._is_asking = self.is_alone = False
        if opens_at > now + seconds_per_post:  # there is a queue: no head start for a while
            self._rested_at = now + FRESH_SECONDS
        held = HeldGrant(float(posts), opens_at, seconds_per_post, now, paid)
        if held.left > 0:
            self._held.append(held)

    def refuse(self, now: float) -> None:
        """Go on at a small rate of our own, because the budget cannot be reached."""
        self._is_asking, self.is_alone = False, True
        rate = self._local_posts_per_second
        posts = rate * LOCAL_SECONDS
        paid = min(self._uncharged, posts)
        self._uncharged = 0.0
        opens_at = max(now, self._locally_at)  # where the last ones end: asking early adds none
        self._locally_at = opens_at + LOCAL_SECONDS
        self._rested_at = now + LOCAL_SECONDS
        self._held.append(HeldGrant(posts, opens_at, 1.0 / rate, now, paid))

    def _judge_size(self, demand: int) -> None:
        """Tell a big broadcast by what is waiting: it has no head start."""
        if self._is_small and self._taken + demand > self._small_posts:
            self._is_small = False
            self._ahead = 0.0

    def _drop_stale(self, now: float) -> None:
        for held in self._held:
            held.drop_stale(now)
        while self._held and self._held[0].left < NOTHING:
            self._held.popleft()

    def _is_opening(self, now: float) -> bool:
        """Tell whether posts of a grant go one after another just now."""
        return any(held.opens_at <= now and held.opened(now) < held.posts for held in self._held)

    def _usable(self, now: float) -> float:
        usable = self._returned
        for held in self._held:  # a plain loop: this is the hot path
            usable += held.usable(now)
        return usable

    def _spend(self, posts: float, now: float) -> float:
        """Use up granted posts, and the head start; return how many are not there."""
        part = min(posts, self._returned)
        self._returned -= part
        posts -= part
        for held in self._held:
            if posts <= 0:
                return 0.0
            part = min(posts, held.usable(now))
            held.used += part
            posts -= part
        part = min(posts, self._ahead)
        if part > 0:
            self._indebted_at = self._indebted_at if self._uncharged else now
            self._ahead -= part
            self._uncharged += part
        return posts - part if posts - part > NOTHING else 0.0

    def _need(self, demand: int, cost: float) -> float:
        """Return how many more granted posts what is waiting costs."""
        need = demand * cost + self._overdrawn - self._returned
        for held in self._held:
            need -= held.left
        return need

    def _low_at(self, need: float, now: float) -> float:
        """Return when so little will be left that more must be asked for."""
        fastest = min(self._pace.posts_per_second, _FASTEST_POSTS_PER_SECOND)
        low = max(1.0, min(need, LEAD_SECONDS * fastest))
        if not self._overdrawn and self._usable(now) >= low:
            return math.inf
        return max((one.last_at - LEAD_SECONDS for one in self._held), default=now)
