"""Makes all plots of the latest result: `python -m bench.plots`."""

import sys
from pathlib import Path

from bench.compare.result import Result
from bench.errors import BenchError
from bench.plots import completion_curve, cost_against_size, rate_against_in_flight, time_to_3000
from bench.plots.style import save
from bench.strategies.registry import ROOT

FOLDER = ROOT / "docs" / "img"
PLOTS = {
    "time-to-3000": time_to_3000,
    "rate-against-in-flight": rate_against_in_flight,
    "completion-curve": completion_curve,
    "cost-against-size": cost_against_size,
}


def make_plots(result: Result, folder: Path = FOLDER) -> None:
    """Write each plot as SVG and PNG; raises BenchError when a run that it shows is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, plot in PLOTS.items():
        save(plot.draw, result.runs, folder / name, size=plot.SIZE)


def main() -> int:
    """Make the plots; returns the exit status."""
    try:
        make_plots(Result.read())
    except BenchError as error:
        sys.stderr.write(f"Error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
