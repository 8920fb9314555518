"""A part of a document that is written by a program: between two comments that no reader sees."""

from bench.errors import BenchError

_END = "<!-- end of figures -->"


def replace_block(text: str, name: str, content: str) -> str:
    """Return a text with other content in its block of that name.

    Raises BenchError when the text has not exactly one such block.
    """
    begin = f"<!-- figures: {name} -->"
    before, found, after = text.partition(begin)
    _, ended, rest = after.partition(_END)
    if not found or not ended or begin in rest:
        raise BenchError(f"expected one block of {begin} … {_END}; found none, or several")
    return f"{before}{begin}\n{content}\n{_END}{rest}"


def replace_line(text: str, beginning: str, line: str) -> str:
    """Return a text with another line in place of the one that begins so.

    Raises BenchError when not exactly one line does.
    """
    lines = text.split("\n")
    places = [place for place, one in enumerate(lines) if one.startswith(beginning)]
    if len(places) != 1:
        raise BenchError(f"expected one line that begins {beginning!r}; found {len(places)}")
    lines[places[0]] = line
    return "\n".join(lines)


def table(names: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """Return a table in Markdown."""
    lines = [_line(names), f"|{'---|' * len(names)}", *map(_line, rows)]
    return "\n".join(lines)


def _line(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"
