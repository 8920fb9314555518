"""Names on the command line: of users, connections, channels and codes."""

import typer

from broadcasting.bye import ByeCode
from broadcasting.channel_patterns import read_patterns
from broadcasting.checks import CHANNEL, MOST_ID, USER, is_connection_id, is_unicode

_MOST_ID_BYTES = 1_024
"""A connection's id is the sort key of its rows.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
"""

_FOLDERS = (".", "..")
"""As the last part of a path they mean another path, so that another request would be made."""


def user_name(given: str) -> str:
    """Return a user's name as it is. Raises typer.BadParameter."""
    if wrong := USER(given):
        raise typer.BadParameter(f"found {given!r:.200}, {wrong}")
    return given


def channel_name(given: str) -> str:
    """Return a channel's name as it is. Raises typer.BadParameter."""
    if wrong := CHANNEL(given):
        raise typer.BadParameter(f"found {given!r:.200}, {wrong}")
    return given


def listed_id(given: str) -> str:
    """Return an id that a broadcast may list or leave out. Raises typer.BadParameter."""
    if not is_connection_id(given):
        raise typer.BadParameter(
            f"found {given!r:.200}, expected a connection's id: 1 to {MOST_ID} printable "
            "characters of ASCII, such as L0SM9cOFvHcCIhw="
        )
    return given


def connection_id(given: str) -> str:
    """Return a connection's id as it is. Raises typer.BadParameter."""
    is_printable = given.isprintable() and is_unicode(given)
    is_right = is_printable and 1 <= len(given.encode()) <= _MOST_ID_BYTES
    if not is_right or given in _FOLDERS:
        raise typer.BadParameter(
            f"found {given!r:.200}, expected a connection's id, such as L0SM9cOFvHcCIhw=; "
            "`crier connections` lists them"
        )
    return given


def channel_patterns(given: str) -> tuple[str, ...]:
    """Return the patterns of a text, with blanks between them. Raises typer.BadParameter."""
    try:
        return read_patterns(" ".join(given.split()))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def bye_code(given: str) -> ByeCode:
    """Return the code of a bye. Raises typer.BadParameter."""
    try:
        return ByeCode(given)
    except ValueError as error:
        *others, last = (one.value for one in ByeCode)
        raise typer.BadParameter(
            f"found {given!r:.200}, expected {', '.join(others)} or {last}"
        ) from error
