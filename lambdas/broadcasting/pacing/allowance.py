"""What one worker may post of the shared budget: granted posts, and a small head start."""

import math

from broadcasting.pacing.budget import Ask, small_posts
from broadcasting.pacing.grants import Grants
from broadcasting.pacing.head_start import HeadStart
from broadcasting.pacing.held_grant import FRESH_SECONDS, NOTHING, HeldGrant
from broadcasting.pacing.local_share import LOCAL_SECONDS, LocalShare
from broadcasting.pacing.pace import Pace

LEAD_SECONDS = 0.03
"""A worker asks for more posts this long before its last granted post may go."""

_FASTEST_POSTS_PER_SECOND = 20_000.0
"""One vCPU does not post faster than this."""


class Allowance:
    """Counts granted posts, and says when to ask for more. Times are in monotonic seconds.

    name                     unit           meaning
    -----------------------  -------------  ------------------------------------------------------
    demand                   posts          what waits to be posted, all that may go now included
    cost                     granted posts  the price of one post: 1, or more after a slow-down
    batch                    granted posts  less than this waits while more is about to open
    _taken                   posts          what this broadcast has taken, less what it gave back
    _overdrawn               granted posts  the unpaid remainder of the last post's cost
    _grants.usable(now)      granted posts  what the grants let go now
    _grants.returned         granted posts  what was taken, not posted, and may still go
    _head_start.remaining    granted posts  what may go without a grant
    _head_start.uncharged    granted posts  what has gone without a grant, and is not paid for yet
    _small_posts             posts          the size up to which a broadcast is small

    A small broadcast begins at once, with its head start, unless the budget holds up this worker.
    A big broadcast waits for its first grant. So does every broadcast while the budget cannot be
    reached: then the worker lives on its local share.
    """

    def __init__(self, pace: Pace, *, workers: int = 1) -> None:
        self._fastest = min(pace.posts_per_second, _FASTEST_POSTS_PER_SECOND)
        self._small_posts = small_posts(pace)
        self._grants = Grants()
        self._head_start = HeadStart(pace)
        self._local_share = LocalShare(pace, workers=workers)
        self._taken = 0.0
        self._overdrawn = 0.0
        self._is_small = True
        self.is_asking = False
        """Whether a reservation is under way."""
        self.is_alone = False
        """Whether the budget could not be reached when it was asked last."""

    @property
    def uncharged(self) -> float:
        """How many posts have gone that are not charged yet."""
        return self._head_start.uncharged

    def begin(self, now: float) -> None:
        """Begin a broadcast."""
        self._grants.returned = self._taken = 0.0
        self._is_small = True
        self._head_start.begin(now, is_allowed=not self.is_asking and not self.is_alone)

    def take(self, wanted: int, demand: int, now: float, cost: float, *, batch: float = 1.0) -> int:
        """Return how many of the wanted posts may go, at a price of `cost` granted posts each.

        The last post needs only one granted post; the remainder of its cost is paid before the
        next post goes. Less than a batch waits while more is just about to open, but not at the
        small rate of a worker that cannot reach the budget.
        """
        batch = 1.0 if self.is_alone else batch
        self._judge_size(demand)
        self._grants.drop_stale(now)
        if self._overdrawn:
            self._overdrawn = self._spend(self._overdrawn, now)
        usable = self._usable(now)
        if self._overdrawn or usable < 1.0 - NOTHING:
            return 0
        if usable < min(wanted * cost, batch) and self._grants.is_opening(now):
            return 0
        taken = min(wanted, int((usable - 1.0) / cost + NOTHING) + 1)
        self._taken += taken
        self._overdrawn = self._spend(taken * cost, now)
        return taken

    def give_back(self, posts: int, cost: float) -> None:
        """Take back posts that were taken and not posted."""
        self._taken -= posts
        granted = posts * cost
        if not self.is_asking:  # the next reservation need not charge them
            granted = self._head_start.take_back(granted)
        self._grants.returned += granted

    def wait_seconds(self, now: float, *, batch: float = 1.0) -> float:
        """Return how long it takes until the next posts may go, infinite if that is unknown."""
        batch = 1.0 if self.is_alone else batch
        usable = self._usable(now)
        is_batch = usable >= batch or not self._grants.is_opening(now)
        if is_batch and not self._overdrawn and usable >= 1.0 - NOTHING:
            return 0.0
        missing = max(1.0, batch - usable)
        return max(0.0, self._grants.opens_more_at(missing, now) - now)

    def ask_at(self, demand: int, now: float, cost: float) -> float:
        """Return when to ask for more, infinite while there is no reason to."""
        if self.is_asking:
            return math.inf
        self._judge_size(demand)
        at = self._head_start.charge_at(now)
        need = self._need(demand, cost)
        if need > 0 and self._head_start.remaining < 1.0:
            at = min(at, self._low_at(need, now))
        return at

    def ask(self, demand: int, cost: float) -> Ask:
        """Return what to ask for; the answer must be received or refused before the next ask."""
        self._judge_size(demand)
        self.is_asking = True
        most = max(0, math.ceil(self._need(demand, cost)))
        return Ask(math.ceil(self.uncharged), most, self._is_small)

    def receive(self, posts: int, *, opens_at: float, seconds_per_post: float, now: float) -> None:
        """Take a grant; its first posts pay for all uncharged ones, those since the ask too."""
        self.is_asking = self.is_alone = False
        if opens_at > now + seconds_per_post:  # there is a queue
            self._head_start.bar(now + FRESH_SECONDS)
        paid = self._head_start.pay(float(posts))
        held = HeldGrant(float(posts), opens_at, seconds_per_post, now, paid)
        if held.unused > 0:
            self._grants.add(held)

    def refuse(self, now: float) -> None:
        """Go on at a small rate of the worker's own, because the budget cannot be reached."""
        self.is_asking, self.is_alone = False, True
        self._head_start.bar(now + LOCAL_SECONDS)
        held = self._local_share.grant(now)
        held.used = self._head_start.pay(held.posts)
        self._head_start.forgive()
        self._grants.add(held)

    def _judge_size(self, demand: int) -> None:
        """Recognise a big broadcast by its demand: it forfeits its head start."""
        if self._is_small and self._taken + demand > self._small_posts:
            self._is_small = False
            self._head_start.forfeit()

    def _usable(self, now: float) -> float:
        return self._grants.usable(now) + self._head_start.remaining

    def _spend(self, posts: float, now: float) -> float:
        """Use up granted posts, then the head start; return how many posts there were not."""
        return self._head_start.spend(self._grants.spend(posts, now), now)

    def _need(self, demand: int, cost: float) -> float:
        """Return how many more granted posts the demand costs."""
        return self._grants.lacking(demand * cost + self._overdrawn)

    def _low_at(self, need: float, now: float) -> float:
        """Return when the worker will hold so few posts that it must ask for more."""
        low = max(1.0, min(need, LEAD_SECONDS * self._fastest))
        if not self._overdrawn and self._grants.usable(now) >= low:
            return math.inf
        last_at = self._grants.last_at()
        return now if last_at is None else last_at - LEAD_SECONDS
