"""How all plots look: Crier in one accent colour, everything else in greys, on solid white."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.transforms import ScaledTranslation

Run = TypeVar("Run")

ACCENT = "#c2410c"
INK = "#1f2328"
QUIET = "#656d76"
LINE = "#d0d7de"
GREYS = ("#57606a", "#8c959f", "#6e7781", "#afb8c1", "#424a53")
"""Greys that are easily told apart side by side."""
ASCENDING_GREYS = ("#afb8c1", "#6e7781", "#24292f")
"""From light to dark: for things that have an order."""
DASHES = ("-", (0, (5, 2)), (0, (1, 1.4)), (0, (6, 2, 1, 2)), (0, (3, 3)))

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


def save(
    draw: Callable[[Axes, Sequence[Run]], None],
    runs: Sequence[Run],
    path: Path,
    *,
    size: tuple[float, float],
) -> None:
    """Draw one plot, `size` in inches, and save it as path.svg and path.png, with its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
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
