"""Plots of the simulation: the shared budget in the accent colour, everything else in greys."""

from collections.abc import Callable, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator, PercentFormatter

from bench.paths import PLOTS as FOLDER
from bench.plots.style import ACCENT, ASCENDING_GREYS, LINE, QUIET, legend, save, title
from bench.simulate.quota import BIN_SECONDS
from bench.simulate.result import Run
from bench.simulate.scenario import AUDIENCES, DEPLOYED_SHARE, OTHERS_SHARE, QUOTAS, SHOWN, WORKERS
from bench.simulate.targets import MOST_RATIO, SHORT_SECONDS

_SHOWN_WORKERS = 16
_SIZE = (8.6, 4.4)


def make_plots(runs: Sequence[Run], folder: Path = FOLDER) -> None:
    """Write each plot as SVG and PNG; the runs are those of all scenarios."""
    for name, draw in _PLOTS.items():
        save(draw, runs, folder / name, size=_SIZE)


def draw_throttled(axes: Axes, runs: Sequence[Run]) -> None:
    """Draw the share of 429 against the number of workers, with a shared budget and without."""
    shown = [run for run in runs if _is_shown(run) and not run.has_others]
    labels = {False: "each at the full rate, slowing down on 429", True: "shared budget"}
    for is_shared, label in labels.items():
        line = sorted((r for r in shown if r.is_shared is is_shared), key=lambda r: r.workers)
        colour = ACCENT if is_shared else ASCENDING_GREYS[1]
        axes.plot(
            [run.workers for run in line],
            [run.throttled_share for run in line],
            color=colour,
            linewidth=2.4 if is_shared else 1.8,
            marker="o",
            markersize=5,
            clip_on=False,
        )
        _name(axes, label, line[-1].workers, line[-1].throttled_share, colour, right=True)
    _by_workers(axes)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.set_ylim(bottom=0)
    axes.margins(y=0.15)
    axes.grid(axis="y")
    title(
        axes,
        "Posts answered 429 (throttled)",
        f"{SHOWN[1]:,} connections, quota {SHOWN[0]:,}/s, budget {DEPLOYED_SHARE:.0%} of it; "
        "all workers begin at once",
    )


def draw_over_time(axes: Axes, runs: Sequence[Run]) -> None:
    """Draw the rate of one broadcast, with other tenants from halfway on."""
    (run,) = (
        run
        for run in runs
        if _is_shown(run) and run.has_others and run.is_shared and run.workers == _SHOWN_WORKERS
    )
    at = [since for since, _, _ in run.trace]
    through = [taken / BIN_SECONDS for _, taken, _ in run.trace]
    lost = [throttled / BIN_SECONDS for _, _, throttled in run.trace]
    axes.stackplot(at, through, lost, colors=[LINE, ACCENT], linewidth=0)
    budget = DEPLOYED_SHARE * run.quota
    _mark_rate(axes, at[-1], budget, "the budget")
    _mark_rate(axes, at[-1], (1 - OTHERS_SHARE) * run.quota, "what the others leave")
    axes.set_xlim(0, at[-1])
    axes.set_ylim(0, 1.35 * budget)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.set_xlabel("seconds since the beginning")
    kinds = (("answered 429 (throttled)", ACCENT), ("got through", QUIET))
    for place, (text, colour) in enumerate(kinds):
        axes.text(
            0.99,
            0.96 - 0.06 * place,
            text,
            color=colour,
            transform=axes.transAxes,
            ha="right",
            va="top",
        )
    title(
        axes,
        "Posts per second of all workers together",
        f"{run.workers} workers, {run.connections:,} connections, quota {run.quota:,}/s; "
        "others take a third from halfway on",
    )


def _mark_rate(axes: Axes, end: float, rate: float, text: str) -> None:
    """Draw a dotted line at a rate, and name it where it ends."""
    axes.axhline(rate, color=QUIET, linewidth=0.9, linestyle=(0, (2, 3)))
    axes.annotate(
        f"{text}: {rate:,.0f}/s",
        (end, rate),
        (4, 0),
        textcoords="offset points",
        va="center",
        fontsize=9,
        color=QUIET,
        annotation_clip=False,
    )


def draw_floor(axes: Axes, runs: Sequence[Run]) -> None:
    """Draw the time against the floor, for every scenario that the budget holds up."""
    long = [run for run in runs if run.is_shared and run.floor_seconds >= SHORT_SECONDS]
    marks = dict(zip(QUOTAS, "os^", strict=True))
    colours = dict(zip(AUDIENCES, ASCENDING_GREYS, strict=True))
    for run in long:
        place = 6 * QUOTAS.index(run.quota) + 2 * AUDIENCES.index(run.connections)
        shift = 1.045 ** (place + run.has_others - 8.5)
        axes.plot(
            run.workers * shift,
            run.ratio,
            marks[run.quota],
            color=ACCENT if run.has_others else colours[run.connections],
            markerfacecolor="white" if run.has_others else colours[run.connections],
            markersize=5,
        )
    for quota, mark in marks.items():
        axes.plot([], [], mark, color=ASCENDING_GREYS[1], label=f"quota {quota:,}/s")
    for connections, colour in colours.items():
        axes.plot([], [], "s", color=colour, markersize=9, label=f"{connections:,} connections")
    axes.plot([], [], "o", color=ACCENT, markerfacecolor="white", label="others take a third")
    axes.axhline(MOST_RATIO, color=QUIET, linewidth=0.9, linestyle=(0, (2, 3)))
    _name(axes, f"target: {MOST_RATIO}", 0.65, MOST_RATIO, QUIET)
    _by_workers(axes)
    axes.set_ylim(0.99, 1.17)
    axes.grid(axis="y")
    legend(axes)
    title(
        axes,
        "Time to settle against the floor of the budget",
        "floor: the burst at once, then the deployed rate, and one answer",
    )


_PLOTS: dict[str, Callable[[Axes, Sequence[Run]], None]] = {
    "pace-throttled": draw_throttled,
    "pace-over-time": draw_over_time,
    "pace-floor": draw_floor,
}


def _is_shown(run: Run) -> bool:
    return (run.quota, run.connections) == SHOWN


def _by_workers(axes: Axes) -> None:
    axes.set_xscale("log", base=2)
    axes.set_xlim(0.6, WORKERS[-1] * 1.6)
    axes.xaxis.set_major_locator(FixedLocator(WORKERS))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_xlabel("workers")


def _name(axes: Axes, text: str, x: float, y: float, colour: str, *, right: bool = False) -> None:
    axes.annotate(
        text,
        (x, y),
        (0, 7),
        textcoords="offset points",
        ha="right" if right else "left",
        fontsize=10,
        color=colour,
    )
