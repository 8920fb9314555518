"""Time to reach 3,000 connections, by strategy: bars on a log scale."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from bench.compare.result import Run
from bench.plots.chosen_runs import CONCURRENT_PEERS, CRIERS, LABELS, SEQUENTIAL, best, warm
from bench.plots.style import ACCENT, GREYS, INK, QUIET, title

SIZE = (8.6, 4.4)
_AUDIENCE = 3_000


def draw(axes: Axes, runs: Sequence[Run]) -> None:
    """Draw one bar for each strategy, the fastest on top."""
    chosen = [best(runs, name) for name in (*CRIERS, *CONCURRENT_PEERS)]
    chosen += [warm(runs, name)[0] for name in SEQUENTIAL]
    chosen.sort(key=_seconds, reverse=True)
    seconds = [_seconds(run) for run in chosen]
    colours = [ACCENT if run.strategy in CRIERS else GREYS[1] for run in chosen]
    axes.barh(range(len(chosen)), seconds, color=colours, height=0.62)
    for place, run in enumerate(chosen):
        _label(axes, place, run)
    axes.set_yticks(range(len(chosen)), [LABELS[run.strategy] for run in chosen])
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.spines["left"].set_visible(False)
    axes.set_xscale("log")
    axes.set_xlim(0.01, 1_000)
    axes.xaxis.set_major_locator(FixedLocator([0.01, 0.1, 1, 10, 100, 1_000]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g} s"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.grid(axis="x")
    title(
        axes,
        f"Time to reach {_AUDIENCE:,} connections",
        "one core, TLS, 20 ms median latency, connections open; each at its best size; log scale",
    )


def _seconds(run: Run) -> float:
    """Return the time for the whole audience: a loop was measured on a part of it."""
    return _AUDIENCE / run.connections_per_second


def _label(axes: Axes, place: int, run: Run) -> None:
    """Write the time beside the bar, and in grey how it was measured."""
    is_crier = run.strategy in CRIERS
    time = axes.annotate(
        f"{_seconds(run):#.3g} s",
        (_seconds(run), place),
        (5, 0),
        textcoords="offset points",
        va="center",
        color=ACCENT if is_crier else INK,
        fontweight="bold" if is_crier else "normal",
    )
    is_whole = run.connections == _AUDIENCE
    axes.annotate(
        f"{run.in_flight:,} in flight" if is_whole else f"measured on {run.connections:,}",
        (1, 0.5),
        (6, 0),
        xycoords=time,
        textcoords="offset points",
        va="center",
        fontsize=9,
        color=QUIET,
    )
