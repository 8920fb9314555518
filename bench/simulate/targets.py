"""The targets of the shared pace, each judged by its worst run."""

from collections.abc import Callable, Sequence

from bench.simulate.result import Run, Target

SHORT_SECONDS = 0.5
"""Below this a broadcast fits the burst: the floor is the workers' own speed and one answer."""

MOST_RATIO = 1.15
MOST_OVER_FLOOR_SECONDS = 0.05
MOST_THROTTLED = 0.01
MOST_THROTTLED_BY_OTHERS = 0.05
FEWEST_OF_MEAN = 0.5
MOST_SMALL_SECONDS = 0.5
MOST_ROW_WRITES = 1_000.0

Figure = Callable[[Run], float]


def judge(runs: Sequence[Run]) -> tuple[Target, ...]:
    """Return every target with its worst figure; there is at least one run of each kind."""
    shared = [run for run in runs if run.is_shared]
    long = [run for run in shared if run.floor_seconds >= SHORT_SECONDS]
    short = [run for run in shared if run.floor_seconds < SHORT_SECONDS]
    alone = [run for run in shared if not run.has_others]
    beside = [run for run in shared if run.has_others]
    return (
        _most("time against the floor", "≤ 1.15", long, lambda run: run.ratio, MOST_RATIO),
        _most(
            "seconds above the floor, where the burst is enough",
            "≤ 0.05",
            short,
            lambda run: run.seconds - run.floor_seconds,
            MOST_OVER_FLOOR_SECONDS,
        ),
        _most("share of 429, nobody else there", "≤ 1 %", alone, _throttled, MOST_THROTTLED),
        _most(
            "share of 429, others take a third",
            "≤ 5 %",
            beside,
            _throttled,
            MOST_THROTTLED_BY_OTHERS,
        ),
        _fewest(
            "slowest worker against the mean",
            "≥ 0.5",
            shared,
            lambda run: run.slowest_share,
            FEWEST_OF_MEAN,
        ),
        _most(
            "a broadcast of 300 in the middle, seconds",
            "≤ 0.5",
            shared,
            lambda run: run.small_seconds,
            MOST_SMALL_SECONDS,
        ),
        _most(
            "writes per second to the budget's row",
            "≤ 1,000",
            long,
            lambda run: run.requests_per_second,
            MOST_ROW_WRITES,
        ),
        _most("connections tried in vain", "0", alone, lambda run: float(run.left), 0.0),
    )


def shown(run: Run) -> str:
    """Return the name of a run."""
    others = ", others" if run.has_others else ""
    return f"{run.workers} workers, {run.quota:,}/s, {run.connections:,}{others}"


def _throttled(run: Run) -> float:
    return run.throttled_share


def _most(name: str, target: str, runs: Sequence[Run], figure: Figure, most: float) -> Target:
    worst = max(runs, key=figure)
    return Target(name, target, figure(worst), shown(worst), figure(worst) <= most)


def _fewest(name: str, target: str, runs: Sequence[Run], figure: Figure, fewest: float) -> Target:
    worst = min(runs, key=figure)
    return Target(name, target, figure(worst), shown(worst), figure(worst) >= fewest)
