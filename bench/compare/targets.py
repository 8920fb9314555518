"""The targets: what each one's figure is made of, and whether it is met."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bench.compare.result import Run
from bench.compare.runs import CRIERS, QUOTA, RAISED_QUOTA
from bench.target import Limit, Target

PROBES = ("import", "whole path")
"""What is measured by programs of their own: their figures are given by these names."""

_NODE_V3 = ("node-v3-all-settled", "node-v3-http2-all-settled")


class _NotMeasuredError(LookupError):
    """A run that a figure needs was not in the plan."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured."""

    runs: Sequence[Run]
    probes: Mapping[str, float]

    def crier(self, connections: int, name: str = "crier", *, warm: bool = True) -> Run:
        """Return crier's run of that size over HTTP/2, at its usual number in flight."""
        for run in self.runs:
            key = run.strategy, run.connections, run.warm, run.in_flight
            if key == (name, connections, warm, CRIERS["crier"]):
                return run
        raise _NotMeasuredError

    def best(self, *strategies: str) -> Run:
        """Return the fastest warm run of a peer: at its best number in flight."""
        if not {*strategies} <= {run.strategy for run in self.runs if run.warm}:
            raise _NotMeasuredError
        found = (run for run in self.runs if run.strategy in strategies and run.warm)
        return max(found, key=lambda run: run.connections_per_second)

    def pairs_with_before(self) -> Sequence[tuple[Run, Run]]:
        """Return each run over HTTP/1.1 with the same one of the release before."""
        before = {_row(run, "crier-before"): run for run in self.runs}
        pairs = [
            (run, before[row])
            for run in self.runs
            if run.strategy.startswith("crier-http1")
            and (row := _row(run, "crier-http1")) in before
        ]
        if not pairs:
            raise _NotMeasuredError
        return pairs

    def probe(self, name: str) -> float:
        """Return what a program of its own has measured."""
        if name not in self.probes:
            raise _NotMeasuredError
        return self.probes[name]


@dataclass(frozen=True, slots=True)
class _Goal:
    """`judged` is the run that a full core of the stand-in excuses."""

    name: str
    limit: Limit
    figure: Callable[[Figures], float]
    judged: Callable[[Figures], Run] | None = None
    worst_run: Callable[[Figures], str] | None = None

    def judge(self, figures: Figures) -> Target:
        try:
            figure = self.figure(figures)
            limited_by = _limited_by(self.judged(figures)) if self.judged else None
            worst_run = self.worst_run(figures) if self.worst_run else None
        except _NotMeasuredError:
            return self.limit.judge(self.name, None)
        return self.limit.judge(self.name, figure, worst_run=worst_run, limited_by=limited_by)


def judge(runs: Sequence[Run], probes: Mapping[str, float]) -> tuple[Target, ...]:
    """Return every target, with its figure where the runs and the probes tell it."""
    figures = Figures(runs, probes)
    return tuple(goal.judge(figures) for goal in _GOALS)


def _row(run: Run, prefix: str) -> tuple[str, int, bool, int]:
    """Return what tells a row of crier's table from the others, whatever release it is of."""
    name = run.strategy.removeprefix(prefix)
    return name, run.connections, run.warm, run.in_flight


def _limited_by(run: Run) -> str | None:
    return f"the stand-in's core, {run.stand_in_cpu_share:.0%}" if run.is_stand_in_full else None


def _warm(figures: Figures) -> Run:
    return figures.crier(3_000)


def _long(figures: Figures) -> Run:
    return figures.crier(30_000)


def _raised(figures: Figures) -> Run:
    return figures.crier(300_000, "crier-raised-quota")


def _against(*strategies: str) -> Callable[[Figures], float]:
    """Return how often faster crier serves 3,000 than a peer at its best."""
    return lambda figures: (
        _warm(figures).connections_per_second / figures.best(*strategies).connections_per_second
    )


def _cold_seconds(figures: Figures) -> float:
    return figures.crier(3_000, warm=False).wall_seconds


def _cpu_per_post(figures: Figures) -> float:
    """Return the worse one of unpaced and paced: the pacer's work is part of it."""
    runs = (_long(figures), figures.crier(30_000, "crier-paced"))
    return max(run.cpu_microseconds_per_post for run in runs)


def _connections_opened(figures: Figures) -> float:
    runs = (_warm(figures), figures.crier(3_000, warm=False), _long(figures))
    return max(run.https_connections for run in runs)


def _slower_than_before(figures: Figures) -> float:
    return max(map(_ratio, figures.pairs_with_before()))


def _slowest_row(figures: Figures) -> str:
    run, _ = max(figures.pairs_with_before(), key=_ratio)
    return f"{run.strategy}, {run.connections:,}{'' if run.warm else ', from cold'}"


def _ratio(pair: tuple[Run, Run]) -> float:
    """Return the ratio of the fastest repeats: what else a machine does only ever adds time."""
    now, before = pair
    return now.wall_seconds_fastest / before.wall_seconds_fastest


def _paced_against_floor(figures: Figures) -> float:
    floor_seconds = (30_000 - QUOTA.burst) / QUOTA.posts_per_second
    return figures.crier(30_000, "crier-paced").wall_seconds / floor_seconds


def _paced_throttled_percent(figures: Figures) -> float:
    run = figures.crier(30_000, "crier-paced")
    return 100 * run.throttled / (run.posts_per_second * run.wall_seconds)


def _raised_against_floor(figures: Figures) -> float:
    floor_seconds = (300_000 - RAISED_QUOTA.burst) / RAISED_QUOTA.posts_per_second
    return _raised(figures).wall_seconds / floor_seconds


def _memory_growth(figures: Figures) -> float:
    return figures.crier(300_000).peak_memory_bytes / _warm(figures).peak_memory_bytes


def _slow_clients(figures: Figures) -> float:
    """Return when the last of the others had its answer, against a run without slow clients."""
    slow = figures.crier(30_000, "crier-slow-clients")
    return slow.latency_ms["max"] / _long(figures).latency_ms["max"]


_GOALS = (
    _Goal(
        "3,000, warm: against Node SDK v2 allSettled",
        Limit("≥", 10, "x"),
        _against("node-v2-all-settled"),
        _warm,
    ),
    _Goal(
        "against Node SDK v3 allSettled, either protocol",
        Limit("≥", 10, "x"),
        _against(*_NODE_V3),
        _warm,
    ),
    _Goal("against boto3 in a thread pool", Limit("≥", 30, "x"), _against("boto3-threads"), _warm),
    _Goal("against boto3 sequential", Limit("≥", 700, "x"), _against("boto3-sequential"), _warm),
    _Goal(
        "sustained rate, unpaced, 30,000 connections",
        Limit("≥", 50_000, "posts/s"),
        lambda one: _long(one).posts_per_second,
        _long,
    ),
    _Goal("CPU per post at 30,000, pacing included", Limit("≤", 12, "µs"), _cpu_per_post),
    _Goal(
        "whole path per connection", Limit("≤", 35, "µs CPU"), lambda one: one.probe("whole path")
    ),
    _Goal("3,000 connections from cold", Limit("≤", 0.2, "s"), _cold_seconds),
    _Goal("HTTPS connections for 3,000 and 30,000", Limit("≤", 32), _connections_opened),
    _Goal(
        "HTTP/1.1 against the release before, its slowest row",
        Limit("≤", 1.05, "x"),
        _slower_than_before,
        worst_run=_slowest_row,
    ),
    _Goal("30,000 at 10,000/s: against the floor", Limit("≤", 1.05, "x"), _paced_against_floor),
    _Goal("30,000 at 10,000/s: answered 429", Limit("≤", 1, "%"), _paced_throttled_percent),
    _Goal(
        "300,000 at 40,000/s: against the floor",
        Limit("≤", 1.2, "x"),
        _raised_against_floor,
        _raised,
    ),
    _Goal("peak memory at 300,000 against 3,000", Limit("≤", 1.15, "x"), _memory_growth),
    _Goal("1 client in 100 with a full buffer: the others", Limit("≤", 1.1, "x"), _slow_clients),
    _Goal("importing the broadcast handler", Limit("≤", 1.2, "x"), lambda one: one.probe("import")),
)
