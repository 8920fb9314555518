"""Posts per second against posts in flight: what waiting for more answers at once gains."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from bench.compare.result import Run
from bench.compare.runs import QUOTA, is_of_the_sweep
from bench.plots.chosen_runs import CONCURRENT_PEERS, CRIERS, LABELS, warm
from bench.plots.style import ACCENT, DASHES, GREYS, QUIET, legend, title

SIZE = (8.6, 4.8)
_TICKS = tuple(2**power for power in range(4, 13))


def draw(axes: Axes, runs: Sequence[Run]) -> None:
    """Draw a line for each strategy that can have several posts in flight."""
    for name, dashes in zip(CRIERS, DASHES, strict=False):
        found = [one for one in warm(runs, name) if _is_of_the_sweep(one)]
        _line(axes, found, colour=ACCENT, width=2.6, dashes=dashes)
    for place, name in enumerate(CONCURRENT_PEERS):
        _line(axes, warm(runs, name), colour=GREYS[place], width=1.6, dashes=DASHES[place])
    _quota(axes)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xlim(_TICKS[0] * 0.9, _TICKS[-1] * 1.1)
    axes.xaxis.set_major_locator(FixedLocator(_TICKS))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.yaxis.set_major_locator(FixedLocator([500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("posts in flight")
    axes.grid(axis="y")
    legend(axes)
    title(
        axes,
        "Posts per second on one core",
        "TLS, 20 ms median latency, connections open; log scales",
    )


def _is_of_the_sweep(run: Run) -> bool:
    return is_of_the_sweep(run.connections, run.in_flight)


def _line(
    axes: Axes, runs: Sequence[Run], *, colour: str, width: float, dashes: object = "-"
) -> None:
    runs = sorted(runs, key=lambda run: run.in_flight)
    axes.plot(
        [run.in_flight for run in runs],
        [run.posts_per_second for run in runs],
        color=colour,
        linewidth=width,
        linestyle=dashes,
        marker="o",
        markersize=4.5,
        label=LABELS[runs[0].strategy],
    )


def _quota(axes: Axes) -> None:
    rate = QUOTA.posts_per_second
    axes.axhline(rate, color=QUIET, linewidth=0.9, linestyle=(0, (2, 3)))
    axes.annotate(
        f"default quota of an account: {rate:,.0f}/s",
        (_TICKS[-1], rate),
        (0, 4),
        textcoords="offset points",
        ha="right",
        fontsize=9,
        color=QUIET,
    )
