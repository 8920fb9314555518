"""Asks the shared budget for more posts ahead of need, in a thread of its own."""

import math
from collections.abc import Callable
from contextlib import suppress
from threading import Condition, Thread

from broadcasting.pacing.allowance import Allowance
from broadcasting.pacing.budget import Budget, Grant
from broadcasting.pacing.pacer import Pacer
from delivery.lasting_time import LastingTime

FLUSH_SECONDS = 0.5
"""The end of a broadcast waits no longer than this for its last posts to be charged."""

PAUSE_SECONDS = 0.1
"""A budget that has granted nothing is not asked again before this."""


class BudgetAsker:
    """Keeps a pacer supplied with granted posts.

    `condition` guards the pacer, too. `warn` is called with the error when the budget fails.
    """

    counts_started = True
    """Whether `started` must be called for posts that have all been started."""

    def __init__(
        self,
        pacer: Pacer,
        allowance: Allowance,
        budget: Budget,
        *,
        time: LastingTime,
        condition: Condition,
        warn: Callable[[Exception], None],
    ) -> None:
        self._pacer = pacer
        self._allowance = allowance
        self._budget = budget
        self._time = time
        self._condition = condition
        self._warn = warn
        self._demand: Callable[[], int] = _no_demand
        self._wake: Callable[[], None] = _no_wake
        self._unmet = 0
        self._starting = 0
        """How many posts are admitted, and may still be part of what `demand` returns."""
        self._asks_at = math.inf
        self._paused_until = -math.inf
        self._is_ending = False
        self._thread: Thread | None = None

    def begin(self, demand: Callable[[], int], wake: Callable[[], None]) -> None:
        """Serve a broadcast: `demand` says how many posts wait, `wake` is called for each grant."""
        with self._condition:
            self._allowance.begin(self._time.seconds())
            self._demand, self._wake, self._is_ending = demand, wake, False
            self._starting = 0
            if self._thread is None or not self._thread.is_alive():
                thread = Thread(target=self._serve, name="budget", daemon=True)
                thread.start()  # if this fails, the next broadcast tries again
                self._thread = thread

    def end(self) -> None:
        """End the broadcast. What it has posted is charged before the function may be frozen."""
        with self._condition:
            self._demand, self._wake, self._is_ending = _no_demand, _no_wake, True
            self._unmet = 0
            self._condition.notify_all()
            self._condition.wait_for(self._is_settled, FLUSH_SECONDS)

    def close(self) -> None:
        """End the thread."""
        with self._condition:
            thread, self._thread = self._thread, None
            self._condition.notify_all()
        if thread:
            thread.join()

    def waiting(self, wanted: int) -> int:
        """Return how many posts wait, the `wanted` ones included."""
        return max(wanted, self._demand() - self._starting)

    def look(self, admitted: int, *, unmet: int) -> None:
        """See whether it is time to ask, after posts were admitted. Holds the condition."""
        self._starting += admitted
        self._unmet = unmet
        if self._due_at() < self._asks_at:
            self._condition.notify_all()

    def started(self, admitted: int) -> None:
        """Note that posts which were admitted do not wait any more. Holds the condition."""
        self._starting -= admitted

    def _needed(self) -> int:
        """Return how many posts to ask for; posts that were not admitted may have been given up."""
        demand = self._demand()
        return max(min(self._unmet, demand), demand - self._starting)

    def _is_settled(self) -> bool:
        return not self._allowance.uncharged and not self._allowance.is_asking

    def _due_at(self) -> float:
        now = self._time.seconds()
        due_at = self._pacer.ask_at(self._needed(), now)
        due_at = now if self._is_ending and due_at < math.inf else due_at
        return max(due_at, self._paused_until)

    def _serve(self) -> None:
        with self._condition:
            while self._thread:
                self._asks_at = self._due_at()
                seconds = self._asks_at - self._time.seconds()
                if seconds > 0:
                    self._condition.wait(seconds if seconds < math.inf else None)
                else:
                    self._ask()

    def _ask(self) -> None:
        """Ask once; the condition is free while the budget is asked."""
        asked_ms, frozen_seconds = self._time.clock.epoch_ms(), self._time.frozen_seconds
        ask = self._allowance.ask(self._needed(), self._pacer.cost)
        self._condition.release()
        grant: Grant | None = None
        try:
            grant = self._budget.reserve(ask)
        except Exception as error:  # noqa: BLE001 - posting must go on after any error
            with suppress(Exception):
                self._warn(error)
        finally:
            self._condition.acquire()
        self._take(grant, asked_ms, self._time.frozen_seconds - frozen_seconds)

    def _take(self, grant: Grant | None, asked_ms: int, frozen_seconds: float) -> None:
        """Take the answer; posts that were reserved before a freeze are as old as the freeze.

        An epoch clock that was set back since the ask does not delay the first post.
        """
        now = self._time.seconds()
        self._paused_until = now + PAUSE_SECONDS if grant and grant.posts <= 0 else -math.inf
        if grant is None:
            self._allowance.refuse(now)
        else:
            now_ms = max(self._time.clock.epoch_ms(), asked_ms)
            self._allowance.receive(
                grant.posts,
                opens_at=now + (grant.opens_at_ms - now_ms) / 1000,
                seconds_per_post=grant.ms_per_post / 1000,
                now=now - frozen_seconds,
            )
        self._wake()
        self._condition.notify_all()


def _no_demand() -> int:
    return 0


def _no_wake() -> None:
    pass
