"""The targets: what each one's figure is made of, and whether it is met."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bench.compare.result import Run
from bench.compare.runs import CRIER_IN_FLIGHT, QUOTA
from bench.target import Limit, Target

PROBES = ("import", "whole path")
"""What is measured by programs of their own: their figures are given by these names."""


class _NotMeasuredError(LookupError):
    """A run that a figure needs was not in the plan."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured."""

    runs: Sequence[Run]
    probes: Mapping[str, float]

    def crier(self, connections: int, name: str = "crier", *, warm: bool = True) -> Run:
        """Return crier's run of that size, at its usual number in flight."""
        return self._first(
            lambda run: (
                (run.strategy, run.connections, run.warm, run.in_flight)
                == (name, connections, warm, CRIER_IN_FLIGHT)
            )
        )

    def best(self, strategy: str) -> Run:
        """Return a peer's warm run at its best number in flight."""
        found = [run for run in self.runs if run.strategy == strategy and run.warm]
        if not found:
            raise _NotMeasuredError
        return max(found, key=lambda run: run.connections_per_second)

    def probe(self, name: str) -> float:
        """Return what a program of its own has measured."""
        if name not in self.probes:
            raise _NotMeasuredError
        return self.probes[name]

    def _first(self, wanted: Callable[[Run], bool]) -> Run:
        for run in self.runs:
            if wanted(run):
                return run
        raise _NotMeasuredError


@dataclass(frozen=True, slots=True)
class _Goal:
    name: str
    limit: Limit
    figure: Callable[[Figures], float]

    def judge(self, figures: Figures) -> Target:
        try:
            figure = self.figure(figures)
        except _NotMeasuredError:
            return self.limit.judge(self.name, None)
        return self.limit.judge(self.name, figure)


def judge(runs: Sequence[Run], probes: Mapping[str, float]) -> tuple[Target, ...]:
    """Return every target, with its figure where the runs and the probes tell it."""
    figures = Figures(runs, probes)
    return tuple(goal.judge(figures) for goal in _GOALS)


def _against(strategy: str) -> Callable[[Figures], float]:
    """Return how often faster crier serves 3,000 than a peer at its best."""
    return lambda figures: (
        figures.crier(3_000).connections_per_second / figures.best(strategy).connections_per_second
    )


def _sustained_rate(figures: Figures) -> float:
    return figures.crier(30_000).posts_per_second


def _cold_seconds(figures: Figures) -> float:
    return figures.crier(3_000, warm=False).wall_seconds


def _cpu_per_post(figures: Figures) -> float:
    """Return the worse one of unpaced and paced: the pacer's work is part of it."""
    runs = (figures.crier(30_000), figures.crier(30_000, "crier-paced"))
    return max(run.cpu_microseconds_per_post for run in runs)


def _paced_against_floor(figures: Figures) -> float:
    floor_seconds = (30_000 - QUOTA.burst) / QUOTA.posts_per_second
    return figures.crier(30_000, "crier-paced").wall_seconds / floor_seconds


def _paced_throttled_percent(figures: Figures) -> float:
    run = figures.crier(30_000, "crier-paced")
    return 100 * run.throttled / (run.posts_per_second * run.wall_seconds)


def _memory_growth(figures: Figures) -> float:
    return figures.crier(300_000).peak_memory_bytes / figures.crier(3_000).peak_memory_bytes


def _slow_clients(figures: Figures) -> float:
    """Return when the last of the others had its answer, against a run without slow clients."""
    slow = figures.crier(30_000, "crier-slow-clients")
    return slow.latency_ms["max"] / figures.crier(30_000).latency_ms["max"]


_GOALS = (
    _Goal(
        "3,000, warm: against boto3 sequential", Limit("≥", 250, "x"), _against("boto3-sequential")
    ),
    _Goal("against Node SDK v2 allSettled", Limit("≥", 10, "x"), _against("node-v2-all-settled")),
    _Goal("against Node SDK v3 allSettled", Limit("≥", 15, "x"), _against("node-v3-all-settled")),
    _Goal("against boto3 in a thread pool", Limit("≥", 15, "x"), _against("boto3-threads")),
    _Goal(
        "sustained rate, unpaced, 30,000 connections",
        Limit("≥", 18_000, "posts/s"),
        _sustained_rate,
    ),
    _Goal("CPU per post, pacing included", Limit("≤", 45, "µs"), _cpu_per_post),
    _Goal(
        "whole path per connection", Limit("≤", 80, "µs CPU"), lambda one: one.probe("whole path")
    ),
    _Goal("3,000 connections from cold", Limit("≤", 0.5, "s"), _cold_seconds),
    _Goal("30,000 at the quota: against the floor", Limit("≤", 1.1, "x"), _paced_against_floor),
    _Goal("30,000 at the quota: answered 429", Limit("≤", 1, "%"), _paced_throttled_percent),
    _Goal("peak memory at 300,000 against 3,000", Limit("≤", 1.15, "x"), _memory_growth),
    _Goal("1 client in 100 with a full buffer: the others", Limit("≤", 1.1, "x"), _slow_clients),
    _Goal("importing the broadcast handler", Limit("≤", 1.2, "x"), lambda one: one.probe("import")),
)
