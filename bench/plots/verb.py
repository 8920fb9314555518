"""What `python -m bench plots` does: draw each plot of the latest results."""

from pathlib import Path

from bench.compare.result import Result
from bench.paths import PLOTS as FOLDER
from bench.plots import (
    completion_curve,
    cost_against_size,
    cpu_per_post,
    rate_against_in_flight,
    time_to_3000,
)
from bench.plots.style import save

PLOTS = {
    "time-to-3000": time_to_3000,
    "rate-against-in-flight": rate_against_in_flight,
    "completion-curve": completion_curve,
    "cpu-per-post": cpu_per_post,
    "cost-against-size": cost_against_size,
}


def plots() -> bool:
    """Draw them; return True, as there is nothing to judge."""
    make_plots(Result.read())
    return True


def make_plots(result: Result, folder: Path = FOLDER) -> None:
    """Write each plot as SVG and PNG; raises BenchError when a run that it shows is missing."""
    for name, plot in PLOTS.items():
        save(plot.draw, result.runs, folder / name, size=plot.SIZE)
