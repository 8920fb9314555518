"""What the benchmarks show: progress and errors on stderr, tables on stdout."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeVar

from rich.box import SIMPLE_HEAD
from rich.console import Console, JustifyMethod
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from bench.target import Target

T = TypeVar("T")

NARROWEST = 140
"""Characters that a table may take when it is piped away: it is not squeezed into 80 columns."""

_MANY = 1_000
_MET = {True: "[green]yes[/green]", False: "[red]no[/red]", None: "-"}
err = Console(stderr=True)


@contextmanager
def progress(total: int | None) -> Iterator[Callable[[str], None]]:
    """Show a bar of steps: call what is yielded at the beginning of each step.

    `total` is None when the number of steps is not known: then there is no bar.
    """
    bar = (BarColumn(), MofNCompleteColumn()) if total else ()
    columns = (TextColumn("{task.description:<46}"), *bar, TimeElapsedColumn())
    # Seldom refreshed, because it shares the cores with what is measured.
    with Progress(*columns, console=err, refresh_per_second=1) as bars:
        task = bars.add_task("Starting", total=total)
        begun = 0

        def begin(description: str) -> None:
            nonlocal begun
            bars.update(task, description=description, completed=begun)
            begun += 1

        yield begin
        bars.update(task, description="Done", completed=total)


def out() -> Console:
    """Return the console of stdout."""
    console = Console()
    return console if console.is_terminal else Console(width=max(console.width, NARROWEST))


def show_table(
    title: str,
    rows: Iterable[T],
    columns: Mapping[str, Callable[[T], str]],
    *,
    left: Sequence[str] = (),
    unwrapped: Sequence[str] = (),
) -> None:
    """Show a row for each value: `columns` are their names, and what each shows of a value.

    Columns are aligned to the right, but for those that are named in `left`; those that are named
    in `unwrapped` stay on one line on a narrow terminal, too.
    """
    table = Table(title=title, box=SIMPLE_HEAD)
    for name in columns:
        side: JustifyMethod = "left" if name in left else "right"
        table.add_column(name, justify=side, no_wrap=name in unwrapped)
    for row in rows:
        table.add_row(*(cell(row) for cell in columns.values()))
    out().print(table)


def show_targets(targets: Sequence[Target], title: str = "Targets") -> None:
    """Show every target, its figure and whether it is met."""
    columns: dict[str, Callable[[Target], str]] = {
        "what": lambda one: one.name,
        "target": lambda one: one.target,
        "figure": lambda one: _figure(one.figure),
        "met": lambda one: _MET[one.met],
    }
    if any(one.worst_run for one in targets):
        columns["worst run"] = lambda one: one.worst_run or ""
    if any(one.limited_by for one in targets):
        columns["limited by"] = lambda one: one.limited_by or ""
    if any(one.source for one in targets):
        columns["how"] = lambda one: one.source or ""
    show_table(title, targets, columns, left=("what", "worst run", "limited by", "how"))
    counts = Counter(target.met for target in targets)
    out().print(f"{counts[True]} met, {counts[False]} missed, {counts[None]} not measured.")


def show_error(error: object, title: str = "Error") -> None:
    """Say what is wrong, and what its user can do."""
    err.print(f"[red]{title}:[/red] {escape(str(error))}", soft_wrap=True, highlight=False)


def note(text: str) -> None:
    """Say something about the run that is no figure of it."""
    err.print(text, soft_wrap=True, highlight=False, markup=False)


def _figure(figure: float | str | None) -> str:
    if figure is None:
        return "not measured"
    if isinstance(figure, str):
        return figure
    return f"{figure:,.0f}" if figure >= _MANY else f"{figure:.4g}"
