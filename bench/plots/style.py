"""How all plots look: crier in one accent colour, everybody else in greys, on solid white."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.transforms import ScaledTranslation

from bench.compare.result import Run
from bench.errors import BenchError

ACCENT = "#c2410c"
INK = "#1f2328"
QUIET = "#656d76"
LINE = "#d0d7de"
GREYS = ("#57606a", "#8c959f", "#6e7781", "#afb8c1", "#424a53")
DASHES = ("-", (0, (5, 2)), (0, (1, 1.4)), (0, (6, 2, 1, 2)), (0, (3, 3)))

LABELS = {
    "crier": "Crier",
    "boto3-sequential": "boto3, one after another",
    "boto3-threads": "boto3, thread pool",
    "aiobotocore-gather": "aiobotocore, gather",
    "node-v2-sequential": "Node SDK v2, one after another",
    "node-v2-all-settled": "Node SDK v2, allSettled",
    "node-v3-sequential": "Node SDK v3, one after another",
    "node-v3-all-settled": "Node SDK v3, allSettled",
}
CONCURRENT_PEERS = (
    "node-v2-all-settled",
    "node-v3-all-settled",
    "aiobotocore-gather",
    "boto3-threads",
)

_SETTINGS: dict[Any, Any] = {
    "svg.hashsalt": "crier",  # else the ids within an SVG differ each time
    "font.size": 11,
    "axes.edgecolor": LINE,
    "axes.labelcolor": QUIET,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.minor.visible": False,
    "ytick.minor.visible": False,
    "grid.color": "#eaeef2",
    "text.color": INK,
    "savefig.facecolor": "white",
}

_TITLE_INCHES = 0.72

Draw = Callable[[Axes, Sequence[Run]], None]


def save(draw: Draw, runs: Sequence[Run], path: Path, *, size: tuple[float, float]) -> None:
    """Draw one plot, `size` in inches, and save it as path.svg and path.png."""
    with mpl.rc_context(_SETTINGS):
        below_the_title = (0, 0, 1, 1 - _TITLE_INCHES / size[1])
        figure = Figure(figsize=size, layout=ConstrainedLayoutEngine(rect=below_the_title))
        draw(figure.add_subplot(), runs)
        figure.savefig(path.with_suffix(".svg"), metadata={"Date": None})
        figure.savefig(path.with_suffix(".png"), dpi=160)


def title(axes: Axes, text: str, below: str) -> None:
    """Say what the plot shows, and in grey below it under which conditions."""
    above = axes.figure.transSubfigure + ScaledTranslation(0.1, 0, axes.figure.dpi_scale_trans)
    looks: dict[str, dict[str, Any]] = {
        text: {"fontsize": 14, "fontweight": "bold"},
        below: {"fontsize": 10, "color": QUIET},
    }
    for (line, look), inches in zip(looks.items(), (0.1, 0.4), strict=True):
        down = ScaledTranslation(0, -inches, axes.figure.dpi_scale_trans)
        axes.figure.text(0, 1, line, va="top", transform=above + down, **look)


def legend(axes: Axes) -> None:
    """Name the lines beside the plot."""
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, labelcolor=INK)


def warm(runs: Sequence[Run], strategy: str) -> list[Run]:
    """Return a strategy's runs on open connections; raises BenchError when there is none."""
    found = [run for run in runs if run.strategy == strategy and run.warm]
    if not found:
        raise BenchError(f"the latest result has no run of {strategy}; run `make bench`")
    return found


def best(runs: Sequence[Run], strategy: str, connections: int = 3_000) -> Run:
    """Return a strategy's fastest run at that size."""
    found = [run for run in warm(runs, strategy) if run.connections == connections]
    if not found:
        raise BenchError(f"{strategy} was not measured at {connections:,}; run `make bench`")
    return min(found, key=lambda run: run.wall_seconds)
