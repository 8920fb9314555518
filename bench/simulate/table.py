"""The tables of a simulation: one row for each scenario."""

from collections.abc import Callable, Mapping, Sequence

from bench import terminal
from bench.simulate.cut import Reconnects
from bench.simulate.result import Run


def show_runs(runs: Sequence[Run]) -> None:
    """Show what came of every scenario."""
    terminal.show_table("The shared pace, in virtual time", runs, _COLUMNS)


def show_reconnects(every: Mapping[str, Reconnects]) -> None:
    """Show how clients came back after a cut of all, by the limits of the random time they wait."""
    columns = {"waits": _name, **_RECONNECTS}
    terminal.show_table(
        "A cut of all clients, in virtual time", every.items(), columns, left=("waits",)
    )


def _name(named: tuple[str, Reconnects]) -> str:
    return named[0]


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

_RECONNECTS: Mapping[str, Callable[[tuple[str, Reconnects]], str]] = {
    "all back s": lambda named: f"{named[1].seconds:,.1f}",
    "tries": lambda named: f"{named[1].tries:.2f}",
    "most": lambda named: f"{named[1].most_tries}",
    "worst second": lambda named: f"{named[1].worst_second:,}",
    "refused": lambda named: f"{named[1].refused:,}",
    "of the quota": lambda named: f"{named[1].quota_taken:,}",
}
