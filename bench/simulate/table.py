"""The table of a simulation: one row for each scenario."""

from collections.abc import Callable, Mapping, Sequence

from bench import terminal
from bench.simulate.result import Run


def show_runs(runs: Sequence[Run]) -> None:
    """Show what came of every scenario."""
    terminal.show_table("The shared pace, in virtual time", runs, _COLUMNS)


_COLUMNS: Mapping[str, Callable[[Run], str]] = {
    "quota/s": lambda run: f"{run.quota:,}",
    "connections": lambda run: f"{run.connections:,}",
    "others": lambda run: "a third" if run.has_others else "-",
    "budget": lambda run: "shared" if run.is_shared else "each its own",
    "workers": lambda run: f"{run.workers}",
    "floor s": lambda run: f"{run.floor_seconds:,.2f}",
    "time s": lambda run: f"{run.seconds:,.2f}",
    "ratio": lambda run: f"{run.ratio:.3f}",
    "429": lambda run: f"{run.throttled_share:.2%}",
    "slowest": lambda run: f"{run.slowest_share:.2f}",
    "300 in ms": lambda run: f"{1000 * run.small_seconds:,.0f}",
    "row writes/s": lambda run: f"{run.requests_per_second:,.0f}",
}
