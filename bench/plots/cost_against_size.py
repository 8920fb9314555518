"""What one broadcast costs, against the size of its audience, in US dollars.

Prices of us-east-1, arm64, on demand, no free tier. Assumed for one broadcast to N connections:
- API Gateway: N messages of at most 32 KiB, $1.00 per million; connection minutes are not part.
- Lambda: 1.769 GB (one vCPU), $0.0000133334 per GB-second, for as long as the benchmark took to
  post on open connections: the quota, reading and bookkeeping would make it longer.
- SQS: one message, sent, received and deleted: 3 requests, $0.40 per million.
- DynamoDB: rows of 128 bytes read with eventually consistent queries, half a read unit for each
  4 KiB, $0.125 per million units; at least half a unit for each of 16 shards.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from bench.plots.style import ACCENT, DASHES, GREYS, best, legend, title
from bench.result import Run
from bench.runs import CRIER_SIZES

SIZE = (8.6, 4.6)
_MESSAGE = 1.00 / 1e6
_LAMBDA_SECOND = 1.769 * 0.0000133334
_SQS_REQUESTS = 3 * 0.40 / 1e6
_READ_UNIT = 0.125 / 1e6
_ROWS_PER_UNIT = 2 * 4_096 / 128
_SHARDS = 16


@dataclass(frozen=True, slots=True)
class Cost:
    """US dollars for one broadcast, by service."""

    messages: float
    compute: float
    reads: float
    queue: float

    @classmethod
    def of(cls, run: Run) -> "Cost":
        """Return what a broadcast like this run costs."""
        return cls(
            messages=run.connections * _MESSAGE,
            compute=run.wall_seconds * _LAMBDA_SECOND,
            reads=max(_SHARDS / 2, run.connections / _ROWS_PER_UNIT) * _READ_UNIT,
            queue=_SQS_REQUESTS,
        )

    @property
    def total(self) -> float:
        """The sum."""
        return self.messages + self.compute + self.reads + self.queue


def draw(axes: Axes, runs: Sequence[Run]) -> None:
    """Draw the total, and the parts of it that are not messages."""
    costs = [Cost.of(best(runs, "crier", size)) for size in CRIER_SIZES]
    _lines(axes, costs)
    for size, cost in zip(CRIER_SIZES, costs, strict=True):
        axes.annotate(
            f"${cost.total:.2g}",
            (size, cost.total),
            (-4, 9),
            textcoords="offset points",
            ha="right",
            color=ACCENT,
            fontweight="bold",
        )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(90, CRIER_SIZES[-1] * 1.4)
    axes.set_ylim(5e-7, 2)
    axes.xaxis.set_major_locator(FixedLocator(list(CRIER_SIZES)))
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
        "US dollars, us-east-1, arm64, no free tier, posting unpaced; log scales",
    )


def _lines(axes: Axes, costs: Sequence[Cost]) -> None:
    share = costs[-1].messages / costs[-1].total
    total = [one.total for one in costs]
    label = f"total: {share:.1%} are\nAPI Gateway's messages"
    axes.plot(CRIER_SIZES, total, color=ACCENT, linewidth=2.6, marker="o", label=label)
    parts = {
        "DynamoDB reads": [one.reads for one in costs],
        "Lambda": [one.compute for one in costs],
        "SQS": [one.queue for one in costs],
    }
    for (name, dollars), grey, dashes in zip(parts.items(), GREYS, DASHES, strict=False):
        axes.plot(CRIER_SIZES, dollars, color=grey, linewidth=1.6, linestyle=dashes, label=name)


def _plain(dollars: float) -> str:
    return f"{dollars:.6f}".rstrip("0").rstrip(".")
