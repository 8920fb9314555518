"""What people see: progress on stderr, the tables on stdout."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from bench.compare.result import Run, Target

_NARROWEST = 140
_MANY = 1_000
err = Console(stderr=True)


@contextmanager
def progress(total: int) -> Iterator[Callable[[str], None]]:
    """Show a bar of steps: call what is yielded at the beginning of each."""
    columns = (
        TextColumn("{task.description:<46}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    # Seldom refreshed, because it shares the cores with what is measured.
    with Progress(*columns, console=err, refresh_per_second=1) as bars:
        task = bars.add_task("Starting the stand-in", total=total)
        begun = 0

        def begin(description: str) -> None:
            nonlocal begun
            bars.update(task, description=description, completed=begun)
            begun += 1

        yield begin
        bars.update(task, description="Done", completed=total)


def show_runs(runs: Sequence[Run]) -> None:
    """Show what was measured, as a table."""
    table = Table(title="Posting one frame to every connection", box=SIMPLE_HEAD)
    console = out()
    names = _COLUMNS if console.width >= _NARROWEST else _KEY_COLUMNS
    table.add_column("strategy", no_wrap=True)
    for name in names:
        table.add_column(name, justify="right")
    for run in runs:
        name = run.strategy if run.warm else f"{run.strategy} (cold)"
        table.add_row(name, *(_COLUMNS[column](run) for column in names))
    console.print(table)


def show_targets(targets: Sequence[Target]) -> None:
    """Show every target, its figure and whether it is met."""
    table = Table(title="Targets", box=SIMPLE_HEAD)
    table.add_column("what")
    for name in ("target", "figure", "met"):
        table.add_column(name, justify="right")
    for target in targets:
        figure = (
            "not measured"
            if target.figure is None
            else f"{target.figure:,.{_decimals(target.figure)}f}"
        )
        table.add_row(target.name, target.target, figure, _MET[target.met])
    console = out()
    console.print(table)
    counts = Counter(target.met for target in targets)
    console.print(f"{counts[True]} met, {counts[False]} missed, {counts[None]} not measured.")


def _decimals(figure: float) -> int:
    return 0 if figure >= _MANY else 2


def out() -> Console:
    """Return the console, not squeezed into 80 columns when it is piped away."""
    console = Console()
    return console if console.is_terminal else Console(width=max(console.width, _NARROWEST))


_MET = {True: "[green]yes[/green]", False: "[red]no[/red]", None: "-"}

_COLUMNS: Mapping[str, Callable[[Run], str]] = {
    "connections": lambda run: f"{run.connections:,}",
    "in flight": lambda run: f"{run.in_flight:,}",
    "wall s": lambda run: f"{run.wall_seconds:,.3f}",
    "± s": lambda run: f"{run.wall_seconds_spread / 2:,.3f}",
    "posts/s": lambda run: f"{run.posts_per_second:,.0f}",
    "CPU µs/post": lambda run: f"{run.cpu_microseconds_per_post:,.1f}",
    "MB": lambda run: f"{run.peak_memory_bytes / 1e6:,.0f}",
    "p50 ms": lambda run: f"{run.latency_ms['p50']:,.0f}",
    "p99 ms": lambda run: f"{run.latency_ms['p99']:,.0f}",
    "not delivered": lambda run: f"{run.connections - run.delivered:,}",
    "stand-in": lambda run: f"{run.stand_in_cpu_share:.0%}",
}

_KEY_COLUMNS = ("connections", "wall s", "posts/s", "CPU µs/post", "not delivered")
"""What a terminal of 80 columns has room for."""
