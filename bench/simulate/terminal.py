"""What people see: progress on stderr, the tables on stdout."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from bench.simulate.result import Run, Target

_NARROWEST = 140
err = Console(stderr=True)

Advance = Callable[[], None]


@contextmanager
def progress(total: int) -> Iterator[Advance]:
    """Show a bar of scenarios: call what is yielded at the end of each."""
    columns = (
        TextColumn("Simulating"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=err, refresh_per_second=2) as bars:
        task = bars.add_task("", total=total)
        yield lambda: bars.advance(task)


def show_runs(runs: Sequence[Run]) -> None:
    """Show what came of every scenario."""
    table = Table(title="The shared pace, in virtual time", box=SIMPLE_HEAD)
    for name in _COLUMNS:
        table.add_column(name, justify="right")
    for run in runs:
        table.add_row(*(cell(run) for cell in _COLUMNS.values()))
    _out().print(table)


def show_targets(targets: Sequence[Target]) -> None:
    """Show every target, its worst figure and whether it is met."""
    table = Table(title="Targets, by the worst run", box=SIMPLE_HEAD)
    for name in ("what", "target", "figure", "met", "worst run"):
        table.add_column(name, justify="right" if name in ("target", "figure") else "left")
    for target in targets:
        met = "[green]yes[/green]" if target.met else "[red]no[/red]"
        table.add_row(target.name, target.target, f"{target.figure:,.4g}", met, target.of)
    out = _out()
    out.print(table)
    count = sum(target.met for target in targets)
    out.print(f"{count} met, {len(targets) - count} missed.")


def _out() -> Console:
    """Return the console, not squeezed into 80 columns when it is piped away."""
    console = Console()
    return console if console.is_terminal else Console(width=max(console.width, _NARROWEST))


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
