"""How fast one worker posts: a token bucket, as the account's quota is one, that heeds 429.

https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
"""

import math
from collections import deque

from broadcasting.pacing.allowance import Allowance
from broadcasting.pacing.pace import Pace
from broadcasting.pacing.unlimited import UNLIMITED, Unlimited

WINDOW_SECONDS = 0.1
"""Answers are gathered for this time before they are judged: it is longer than a post takes."""

FEWEST_ANSWERS = 20
"""A judgement takes this number of answers, so that a few slow clients are never a share."""

TOLERATED_SHARE = 0.05
"""Up to this share of 429 the quota is not what throttles: clients with full buffers are."""

BATCH_SECONDS = 0.05
"""Posts are admitted in batches worth this time: waking up for each would cost more than it, and a
core that has slept runs slower for a while."""

_BATCH_SHARE = 0.5
"""A batch is no more than this part of the burst: a full bucket earns nothing while it waits."""

LIMITING_SHARE = 0.2
"""The pace limits a worker when posts wait for it in this share of the time, or in more."""

_REMEMBERED_SECONDS = 0.5

_RECOVERY_SHARE = 0.02
_SLOWEST_SHARE = 0.05
_LASTING_WINDOWS = 5


class Pacer:
    """Admits posts. Pure: the time, in monotonic seconds, is passed in.

    The pacer slows down when a share of connections answers its first 429, because then the quota
    is used up, by us or by others. What a connection answers after that says nothing new, as its
    own buffer may be full. A share that slowing down does not lower is not the quota's either. The
    rate recovers step by step while the share stays small.

    With an allowance, only what it has been granted goes. A worker that has slowed down to a part
    of the rate uses that part of its granted posts, and the others are lost.
    """

    def __init__(
        self, pace: Pace, now: float, allowance: Allowance | Unlimited = UNLIMITED
    ) -> None:
        self.posts_per_second = pace.posts_per_second
        self.allowance = allowance
        self._full = pace
        self._tokens = pace.burst
        self._filled_at = now
        self._judged_at = now
        self._admitted_at = now
        self._is_short = False
        self._waiting_share = 0.0
        self._admitted_per_second = 0.0
        self._answers = 0
        self._throttled = 0
        self._shares = deque[float](maxlen=_LASTING_WINDOWS)

    @property
    def cost(self) -> float:
        """How many granted posts one post costs: more than one while others use the quota."""
        return self._full.posts_per_second / self.posts_per_second

    @property
    def is_limiting(self) -> bool:
        """Whether this worker has lately used up all that the pace allows.

        Either posts have been waiting for it, or they have gone as fast, from the burst. The pace
        does not limit while the budget cannot be reached: then every worker has a small rate of its
        own.
        """
        if self.allowance.is_alone:
            return False
        is_as_fast = self._admitted_per_second >= self._full.posts_per_second
        return is_as_fast or self._waiting_share > LIMITING_SHARE

    def admit(self, wanted: int, now: float, demand: int = 0) -> int:
        """Return how many of the wanted posts may go now: a batch at least, or all, or none.

        `demand` is the number of all posts that wait, if more wait than are wanted.
        """
        weight = min(1.0, max(0.0, now - self._admitted_at) / _REMEMBERED_SECONDS)
        self._waiting_share += weight * (self._is_short - self._waiting_share)
        admitted = self._admit(wanted, now, demand)
        self._admitted_per_second *= 1.0 - weight
        self._admitted_per_second += admitted / _REMEMBERED_SECONDS
        self._admitted_at, self._is_short = now, admitted < wanted
        return admitted

    def _admit(self, wanted: int, now: float, demand: int) -> int:
        self._fill(now)
        admitted = min(wanted, int(self._tokens))
        batch = self._batch
        if admitted < min(wanted, int(batch)):
            return 0
        demand = max(wanted, demand)
        admitted = self.allowance.take(admitted, demand, now, self.cost, batch=batch)
        self._tokens -= admitted
        return admitted

    def give_back(self, posts: int) -> None:
        """Take back posts that were admitted and not posted."""
        self._tokens += posts
        self.allowance.give_back(posts, self.cost)

    def wait_seconds(self, ready: float = math.inf) -> float:
        """Return how long to wait until posts may go, as of the last `admit`.

        They are a batch, or all of the `ready` ones if these are fewer. The time is infinite while
        they wait for a grant that has not come yet.
        """
        batch = self._batch
        own_seconds = max(0.0, min(batch, ready) - self._tokens) / self.posts_per_second
        granted = min(batch, ready * self.cost)
        return max(own_seconds, self.allowance.wait_seconds(self._filled_at, batch=granted))

    def ask_at(self, demand: int, now: float) -> float:
        """Return when to ask the budget for more, infinite while there is no reason to."""
        return self.allowance.ask_at(demand, now, self.cost)

    @property
    def _batch(self) -> float:
        burst, posts = self._full.burst, BATCH_SECONDS * self.posts_per_second
        return min(burst, max(1.0, min(_BATCH_SHARE * burst, posts)))

    def observe(self, answers: int, throttled: int, now: float) -> None:
        """Take answers into account; `throttled` of them were the first 429 of a connection."""
        self._answers += answers
        self._throttled += throttled
        if self._answers < FEWEST_ANSWERS or now - self._judged_at < WINDOW_SECONDS:
            return
        share = self._throttled / self._answers
        self._answers = self._throttled = 0
        self._judged_at = now
        self._fill(now)
        lasting = min(self._shares) if len(self._shares) == _LASTING_WINDOWS else 0.0
        self._shares.append(share)
        if share - lasting > TOLERATED_SHARE:
            self._slow_down(share)
        else:
            step = _RECOVERY_SHARE * self._full.posts_per_second
            self.posts_per_second = min(self._full.posts_per_second, self.posts_per_second + step)

    def _slow_down(self, share: float) -> None:
        """Go on at the rate that got through; the account's bucket is empty, so is ours."""
        slowest = _SLOWEST_SHARE * self._full.posts_per_second
        self.posts_per_second = max(slowest, self.posts_per_second * (1 - share))
        self._tokens = min(self._tokens, 1.0)

    def _fill(self, now: float) -> None:
        seconds = max(0.0, now - self._filled_at)
        self._filled_at = now
        self._tokens = min(self._full.burst, self._tokens + seconds * self.posts_per_second)
