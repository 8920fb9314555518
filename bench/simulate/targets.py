"""The targets of the shared pace, each judged by its worst run."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from bench.simulate.result import Run
from bench.target import Limit, Target

SHORT_SECONDS = 0.5
"""Below this a broadcast fits the burst: the floor is the workers' own speed and one answer."""

MOST_RATIO = 1.15


@dataclass(frozen=True, slots=True)
class _Goal:
    name: str
    limit: Limit
    figure: Callable[[Run], float]

    def judge(self, runs: Sequence[Run]) -> Target:
        """Judge the run that is farthest beyond the limit, or nearest to it."""
        choose = max if self.limit.relation == "≤" else min
        worst = choose(runs, key=self.figure)
        return self.limit.judge(self.name, self.figure(worst), worst_run=shown(worst))


def judge(runs: Sequence[Run]) -> tuple[Target, ...]:
    """Return every target with its worst figure; there is at least one run of each kind."""
    return tuple(_judged([run for run in runs if run.is_shared]))


def _judged(shared: Sequence[Run]) -> Iterator[Target]:
    long = [run for run in shared if run.floor_seconds >= SHORT_SECONDS]
    short = [run for run in shared if run.floor_seconds < SHORT_SECONDS]
    alone = [run for run in shared if not run.has_others]
    beside = [run for run in shared if run.has_others]
    yield _RATIO.judge(long)
    yield _OVER_FLOOR.judge(short)
    yield _THROTTLED_ALONE.judge(alone)
    yield _THROTTLED_BESIDE.judge(beside)
    yield _SLOWEST.judge(shared)
    yield _SMALL.judge(shared)
    yield _ROW_WRITES.judge(long)
    yield _IN_VAIN.judge(alone)


def shown(run: Run) -> str:
    """Return the name of a run."""
    others = ", others" if run.has_others else ""
    return f"{run.workers} workers, {run.quota:,}/s, {run.connections:,}{others}"


def _throttled_percent(run: Run) -> float:
    return 100 * run.throttled_share


_RATIO = _Goal("time against the floor", Limit("≤", MOST_RATIO), lambda run: run.ratio)
_OVER_FLOOR = _Goal(
    "seconds above the floor, where the burst is enough",
    Limit("≤", 0.05),
    lambda run: run.seconds - run.floor_seconds,
)
_THROTTLED_ALONE = _Goal(
    "posts answered 429, no other tenant there", Limit("≤", 1, "%"), _throttled_percent
)
_THROTTLED_BESIDE = _Goal(
    "posts answered 429, others take a third", Limit("≤", 5, "%"), _throttled_percent
)
_SLOWEST = _Goal("slowest worker against the mean", Limit("≥", 0.5), lambda run: run.slowest_share)
_SMALL = _Goal(
    "a broadcast of 300 in the middle, seconds", Limit("≤", 0.5), lambda run: run.small_seconds
)
_ROW_WRITES = _Goal(
    "writes per second to the budget's row",
    Limit("≤", 1_000),
    lambda run: run.requests_per_second,
)
_IN_VAIN = _Goal("connections tried in vain", Limit("≤", 0), lambda run: float(run.pending))
