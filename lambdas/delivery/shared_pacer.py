"""The pacer of all the threads of a fan-out."""

import math
from collections.abc import Callable
from threading import Condition

from broadcasting.clock import Clock
from broadcasting.pacing.allowance import Allowance
from broadcasting.pacing.budget import Budget
from broadcasting.pacing.pace import Pace
from broadcasting.pacing.pacer import Pacer
from delivery.budget_asker import BudgetAsker
from delivery.lasting_time import LastingTime
from delivery.no_asker import NO_ASKER, NoAsker


class SharedPacer:
    """A pacer that any thread may ask.

    With an asker, which shares its condition, only what the budget of all workers grants goes.
    """

    def __init__(
        self,
        pacer: Pacer,
        time: LastingTime,
        *,
        condition: Condition | None = None,
        asker: BudgetAsker | NoAsker = NO_ASKER,
    ) -> None:
        self._pacer = pacer
        self._time = time
        self._seconds = time.seconds
        self._lock = condition or Condition()
        self._asker = asker

    def begin(self, demand: Callable[[], int], wake: Callable[[], None]) -> None:
        """Serve a broadcast: `demand` says how many posts wait, `wake` is called for each grant.

        After a freeze of the function the time goes on from where it is by then: the bucket is full
        again, and what was granted before the freeze is lost.
        """
        with self._lock:
            self._time.look()
        self._asker.begin(demand, wake)

    def end(self) -> None:
        """End the broadcast, and charge what it has posted."""
        self._asker.end()

    def close(self) -> None:
        """Ask for no more."""
        self._asker.close()

    def admit(self, wanted: int) -> int:
        """Return how many of the wanted posts may go now; `started` must follow, if any may."""
        with self._lock:
            demand = self._asker.waiting(wanted)
            admitted = self._pacer.admit(wanted, self._seconds(), demand)
            self._asker.look(admitted, unmet=wanted - admitted)
            return admitted

    @property
    def is_limiting(self) -> bool:
        """Whether posts wait for the pace: see `Pacer.is_limiting`."""
        return self._pacer.is_limiting

    def started(self, admitted: int, posts: int) -> None:
        """Say how many of the admitted posts have been started: the others are given back."""
        if posts == admitted and not self._asker.counts_started:
            return  # there is nothing to count: this spares the lock, at 0.5 us
        with self._lock:
            self._pacer.give_back(admitted - posts)
            self._asker.started(admitted)

    def observe(self, answers: int, throttled: int) -> None:
        """Take answers into account: see `Pacer.observe`."""
        with self._lock:
            self._pacer.observe(answers, throttled, self._seconds())

    def wait_seconds(self, ready: float = math.inf) -> float:
        """Return how long it takes until the next posts may go: see `Pacer.wait_seconds`."""
        with self._lock:
            return self._pacer.wait_seconds(ready)


def make_pacer(
    pace: Pace,
    clock: Clock,
    budget: Budget | None,
    warn: Callable[[Exception], None],
    *,
    workers: int = 1,
) -> SharedPacer:
    """Return a worker's pacer; without a budget the worker has the whole pace to itself.

    When the budget cannot be reached, `workers` share a small part of the pace evenly.
    """
    time = LastingTime(clock)
    if not budget:
        return SharedPacer(Pacer(pace, time.seconds()), time)
    allowance, condition = Allowance(pace, workers=workers), Condition()
    pacer = Pacer(pace, time.seconds(), allowance)
    asker = BudgetAsker(pacer, allowance, budget, time=time, condition=condition, warn=warn)
    return SharedPacer(pacer, time, condition=condition, asker=asker)
