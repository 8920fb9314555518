"""What one post costs the processor, by strategy, and over how many HTTPS connections."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from bench.compare.result import Run
from bench.plots.chosen_runs import CONCURRENT_PEERS, CRIERS, LABELS, best
from bench.plots.style import ACCENT, GREYS, INK, QUIET, title

SIZE = (8.6, 3.8)
_SUSTAINED = 30_000


def draw(axes: Axes, runs: Sequence[Run]) -> None:
    """Draw one bar for each strategy, the cheapest on top: crier's sustained, peers at 3,000."""
    chosen = [best(runs, name, _SUSTAINED) for name in CRIERS]
    chosen += [best(runs, name) for name in CONCURRENT_PEERS]
    chosen.sort(key=lambda run: run.cpu_microseconds_per_post, reverse=True)
    colours = [ACCENT if run.strategy in CRIERS else GREYS[1] for run in chosen]
    costs = [run.cpu_microseconds_per_post for run in chosen]
    axes.barh(range(len(chosen)), costs, color=colours, height=0.62)
    for place, run in enumerate(chosen):
        _label(axes, place, run)
    axes.set_yticks(range(len(chosen)), [LABELS[run.strategy] for run in chosen])
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.spines["left"].set_visible(False)
    axes.set_xscale("log")
    axes.set_xlim(1, 10_000)
    axes.xaxis.set_major_locator(FixedLocator([1, 10, 100, 1_000, 10_000]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f} µs"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.grid(axis="x")
    title(
        axes,
        "What one post costs the processor",
        f"Crier at {_SUSTAINED:,} connections, the SDKs at their best size; TLS; log scale",
    )


def _label(axes: Axes, place: int, run: Run) -> None:
    """Write the cost beside the bar, and in grey how many connections carried the posts."""
    is_crier = run.strategy in CRIERS
    cost = axes.annotate(
        f"{round(run.cpu_microseconds_per_post, 1):,g} µs",
        (run.cpu_microseconds_per_post, place),
        (5, 0),
        textcoords="offset points",
        va="center",
        color=ACCENT if is_crier else INK,
        fontweight="bold" if is_crier else "normal",
    )
    axes.annotate(
        f"{run.https_connections:,} HTTPS connections",
        (1, 0.5),
        (6, 0),
        xycoords=cost,
        textcoords="offset points",
        va="center",
        fontsize=9,
        color=QUIET,
    )
