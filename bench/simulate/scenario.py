"""What is simulated: how many workers, which quota, how many connections, and the floor of it."""

from dataclasses import dataclass
from itertools import product

from broadcasting.pacing.pace import Pace

WORKERS = (1, 4, 16, 64)
QUOTAS = (2_500, 10_000, 100_000)
AUDIENCES = (30_000, 300_000, 1_000_000)

BUCKET_SECONDS = 0.5
"""The bucket of the AWS account holds the posts of this time at its quota, as by default."""

DEPLOYED_SHARE = 0.8
"""The deploy settings as a part of the quota and of its bucket."""

OTHERS_SHARE = 1 / 3
"""What the other tenants take of the quota, from halfway on."""

ANSWER_SECONDS = 0.02
RESERVATION_SECONDS = (0.005, 0.010)
SKEW_SECONDS = 0.005
"""The most that a worker's clock is wrong by."""

WORKER_POSTS_PER_SECOND = 20_000
IN_FLIGHT = 512
SMALL = 300
"""The connections of the small broadcast that starts in the middle of the big one."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One big broadcast; `has_others` says whether other tenants use the quota too."""

    workers: int
    quota: int
    connections: int
    has_others: bool = False
    is_shared: bool = True
    """Whether the workers share the budget; else each posts at its full rate, and only adapts."""

    @property
    def pace(self) -> Pace:
        """The deploy settings."""
        rate = DEPLOYED_SHARE * self.quota
        return Pace(rate, BUCKET_SECONDS * rate)

    @property
    def turn_seconds(self) -> float:
        """How often a busy worker looks around: what happens meanwhile happens at once."""
        return 0.02 if self.quota == QUOTAS[0] else 0.005

    @property
    def floor_seconds(self) -> float:
        """The least time in which the budget lets it settle, and the workers' own speed.

        All go at the deployed rate, but for a burst; with other tenants the second half goes at
        what they leave, but for what the account's bucket holds. An answer takes its time.
        """
        pace, own_rate = self.pace, self.workers * WORKER_POSTS_PER_SECOND
        own = self.connections / own_rate
        budget = max(0.0, (self.connections - pace.burst) / pace.posts_per_second)
        if self.has_others:
            half = self.connections / 2
            ours = (1 - OTHERS_SHARE) * self.quota
            first = max(0.0, (half - pace.burst) / pace.posts_per_second, half / own_rate)
            throttled = (half - BUCKET_SECONDS * self.quota) / ours
            budget = max(budget, first + throttled)
        return max(own, budget) + ANSWER_SECONDS


SHOWN = (10_000, 300_000)
"""The quota and the audience that are shown over time, and without a shared budget."""


def scenarios() -> tuple[Scenario, ...]:
    """Return all of them."""
    shared = (Scenario(*one) for one in product(WORKERS, QUOTAS, AUDIENCES, (False, True)))
    return (*shared, *(Scenario(workers, *SHOWN, is_shared=False) for workers in WORKERS))
