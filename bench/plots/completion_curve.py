"""One broadcast to 3,000: how many had their answer by when, by strategy."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from bench.compare.result import Run
from bench.plots.chosen_runs import CONCURRENT_PEERS, CRIERS, LABELS, best
from bench.plots.style import ACCENT, DASHES, GREYS, legend, title

SIZE = (8.6, 4.4)
_AUDIENCE = 3_000
_TICKS_MS = {10: "10 ms", 100: "100 ms", 1_000: "1 s", 10_000: "10 s"}


def draw(axes: Axes, runs: Sequence[Run]) -> None:
    """Draw a curve for each strategy that was measured on the whole audience."""
    for name, dashes in zip(CRIERS, DASHES, strict=False):
        _curve(axes, best(runs, name), colour=ACCENT, width=2.6, dashes=dashes)
    peers = sorted(
        (best(runs, name) for name in CONCURRENT_PEERS), key=lambda run: run.wall_seconds
    )
    for place, run in enumerate(peers):
        _curve(axes, run, colour=GREYS[place], width=1.6, dashes=DASHES[place])
    axes.set_xscale("log")
    axes.set_xlim(10, 10_000)
    axes.set_ylim(0, _AUDIENCE * 1.03)
    axes.xaxis.set_major_locator(FixedLocator(list(_TICKS_MS)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _TICKS_MS[round(value)]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.set_xlabel("since the beginning of the broadcast (log scale)")
    axes.grid(axis="both")
    legend(axes)
    title(
        axes,
        f"One broadcast to {_AUDIENCE:,}: connections that have their answer",
        "one core, TLS, 20 ms median latency, connections open; each at its best size",
    )


def _curve(axes: Axes, run: Run, *, colour: str, width: float, dashes: object = "-") -> None:
    axes.plot(
        [run.curve[0][0], *(ms for ms, _ in run.curve)],
        [0, *(count for _, count in run.curve)],
        color=colour,
        linewidth=width,
        linestyle=dashes,
        label=LABELS[run.strategy],
    )
