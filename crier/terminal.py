"""What people see: data on stdout, everything else on stderr."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

out = Console()
err = Console(stderr=True)


@contextmanager
def progress() -> Iterator[Progress]:
    """Show progress bars until the block ends."""
    columns = (
        TextColumn("{task.description:<34}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=err) as bars:
        yield bars


@contextmanager
def steps(bars: Progress, count: int) -> Iterator[Callable[[str], None]]:
    """Show a bar of steps.

    Call what is yielded with a step's description when the step begins, and with "" after the last.
    """
    task = bars.add_task("", total=count)
    begun = 0

    def step(description: str) -> None:
        nonlocal begun
        bars.update(task, description=description or "Setting up", completed=begun)
        begun += 1

    yield step


def bar(bars: Progress, description: str, total: int) -> Callable[[], None]:
    """Show a bar of `total` things, and return what to call when one of them is done."""
    task = bars.add_task(description, total=total, start=False)

    def advance() -> None:
        bars.start_task(task)
        bars.advance(task)

    return advance


def show_line(text: str) -> None:
    """Print a text as data, as it is."""
    out.print(Text(text), soft_wrap=True)


def show_table(rows: Mapping[str, str]) -> None:
    """Print a table of names and values, which may be foreign texts."""
    table = Table(show_header=False)
    table.add_column()
    table.add_column(overflow="fold")
    for name, value in rows.items():
        table.add_row(name, plain(value))
    out.print(table)


def show_json(value: object) -> None:
    """Print JSON, for scripts."""
    show_line(json.dumps(value, indent=2))


def show_json_line(value: object) -> None:
    """Print JSON in one line, for scripts that read one value after the other."""
    out.file.write(f"{json.dumps(value)}\n")


def note(text: str) -> None:
    """Say something on stderr that is not data."""
    err.print(plain(text), soft_wrap=True)


def plain(text: str, style: str = "") -> Text:
    """Return a foreign text in one line, without the control characters that a terminal obeys."""
    return Text(_printable(" ".join(text.splitlines())), style=style)


def _printable(line: str) -> str:
    return "".join(one if one.isprintable() else "?" for one in line)


def show_error(error: Exception) -> None:
    """Say on stderr what went wrong, in the error's own lines; it may have foreign words."""
    words = "\n".join(_printable(line.expandtabs()) for line in str(error).splitlines())
    text = Text.assemble(("Error:", "red"), f" {words}")  # a text, not markup: it may have brackets
    err.print(text, soft_wrap=True)
