"""What people see: progress on stderr, the table on stdout."""

from collections import Counter
from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table

from bench.compare.terminal import err, out, progress
from bench.promises.result import Figure

__all__ = ["err", "progress", "show"]

_MET = {True: "[green]yes[/green]", False: "[red]no[/red]", None: "-"}


def show(figures: Sequence[Figure]) -> None:
    """Show every target, its figure and whether it is met."""
    table = Table(title="Promises", box=SIMPLE_HEAD)
    for name in ("what", "target", "figure", "met", "how"):
        table.add_column(name)
    for one in figures:
        table.add_row(
            one.what, one.target, one.measured or "not measured", _MET[one.met], one.source
        )
    console = out()
    console.print(table)
    counts = Counter(one.met for one in figures)
    console.print(f"{counts[True]} met, {counts[False]} missed, {counts[None]} not measured.")
