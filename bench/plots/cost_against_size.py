"""What one broadcast costs, against the size of its audience: bench/results/scale.json."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from bench.compare.result import Run
from bench.plots.style import ACCENT, DASHES, GREYS, legend, title
from bench.scale.prices import AS_OF
from bench.scale.result import Broadcast, read_broadcasts

SIZE = (8.6, 4.6)


def draw(axes: Axes, _runs: Sequence[Run]) -> None:
    """Draw API Gateway's charge for the messages, and what Crier adds to it."""
    broadcasts = read_broadcasts()
    _lines(axes, broadcasts)
    for one in broadcasts:
        axes.annotate(
            f"{one.cost.share:.1%}",
            (one.connections, one.cost.ours),
            (0, 9),
            textcoords="offset points",
            ha="center",
            color=ACCENT,
            fontweight="bold",
        )
    sizes = [one.connections for one in broadcasts]
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(sizes[0] / 2, sizes[-1] * 2)
    axes.set_ylim(5e-7, 5)
    axes.xaxis.set_major_locator(FixedLocator(sizes))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"${_plain(value)}"))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_locator(NullLocator())
    axes.set_xlabel("connections")
    axes.grid(axis="y")
    legend(axes)
    title(
        axes,
        "What one broadcast costs",
        f"US dollars, us-east-1, arm64, no free tier, {AS_OF}; counted by make scale; log scales",
    )


def _lines(axes: Axes, broadcasts: Sequence[Broadcast]) -> None:
    sizes = [one.connections for one in broadcasts]
    costs = [one.cost for one in broadcasts]
    messages = [cost.messages for cost in costs]
    axes.plot(sizes, messages, color=GREYS[0], linewidth=2.6, label="API Gateway's messages")
    ours = [cost.ours for cost in costs]
    axes.plot(
        sizes,
        ours,
        color=ACCENT,
        linewidth=2.6,
        marker="o",
        label="what Crier adds,\nand its share",
    )
    parts = {
        "DynamoDB": [cost.dynamodb for cost in costs],
        "Lambda": [cost.function for cost in costs],
        "SQS": [cost.queues for cost in costs],
    }
    for (name, dollars), grey, dashes in zip(parts.items(), GREYS, DASHES, strict=False):
        axes.plot(sizes, dollars, color=grey, linewidth=1.6, linestyle=dashes, label=name)


def _plain(dollars: float) -> str:
    return f"{dollars:.6f}".rstrip("0").rstrip(".")
