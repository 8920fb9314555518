"""Shows connections: lists of them, and what is known of one."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from crier import terminal
from crier.commands.times import now_ms, shown_time
from crier.deployed.connection_rows import Known
from crier.deployed.connections_api import Inspected
from crier.deployed.connections_reader import Listed
from crier.deployed.row_values import UnreadableRow
from crier.wording import counted

_TITLES = ("id", "connected", "for", "expires", "user")
_LINE = "{:<18}  {:<20}  {:>8}  {:<20}  {}"
_ANONYMOUS = "-"


@dataclass(slots=True)
class Shown:
    """How many connections were listed, and how many rows that cannot be read."""

    connections: int = 0
    unreadable: int = 0

    @property
    def all(self) -> int:
        """How many lines that makes."""
        return self.connections + self.unreadable


def show_connections(found: Iterable[Listed | UnreadableRow], *, as_json: bool) -> Shown:
    """Show connections while they are found, a line each; a row that cannot be read, too."""
    shown = Shown()
    for one in found:
        if not shown.all and not as_json:
            terminal.out.print(_LINE.format(*_TITLES), style="bold", soft_wrap=True)
        if isinstance(one, Listed):
            shown.connections += 1
        else:
            shown.unreadable += 1
        if as_json:
            terminal.show_json_line(_as_json(one))
        else:
            terminal.out.print(terminal.plain(_line(one)), soft_wrap=True)
    return shown


def note_connections(shown: Shown, *, channel: str | None, user: str | None, is_more: bool) -> None:
    """Say on stderr how many connections were listed, and of which channel or user."""
    whose = "" if channel is None else f" of channel {channel}"
    whose += "" if user is None else f" of user {user}"
    if not shown.all:
        terminal.note(f"There are no connections{whose}.")
        return
    unreadable = f", {counted(shown.unreadable, 'row')} cannot be read" if shown.unreadable else ""
    more = "; there are more, which a larger --limit shows" if is_more else ""
    terminal.note(f"{counted(shown.connections, 'connection')}{whose}{unreadable}{more}")


def show_inspected(known: Known, inspected: Inspected) -> None:
    """Show one open connection, as API Gateway and its rows tell of it."""
    since = inspected.connected_ms
    terminal.show_table(
        {
            "Connection": known.id,
            "Connected": _time(since),
            "For": "not told" if since is None else _duration(now_ms() - since),
            "Last active": _time(inspected.last_active_ms),
            "Source IP": inspected.source_ip or "not told",
            "User agent": inspected.user_agent or "not told",
            "User": _user(known),
            "Channels": _channels(known),
            "Expires": _expires(known),
        }
    )


def inspected_as_json(known: Known, inspected: Inspected | None) -> dict[str, Any]:
    """Return what is known of a connection, for scripts; `inspected` is None when it is gone."""
    found = inspected or Inspected(known.connected_ms, None, "", "")
    return {
        "connection": known.id,
        "state": "gone" if inspected is None else "open",
        "connected_ms": found.connected_ms,
        "last_active_ms": found.last_active_ms,
        "source_ip": found.source_ip or None,
        "user_agent": found.user_agent or None,
        "user": known.user,
        "channels": list(known.channels),
        "expires_ms": known.expires_ms,
        "in_audience": known.is_in_audience,
    }


def _as_json(one: Listed | UnreadableRow) -> dict[str, Any]:
    return one.as_json(now_ms()) if isinstance(one, Listed) else {"unreadable": one.as_json()}


def _line(one: Listed | UnreadableRow) -> str:
    if isinstance(one, UnreadableRow):
        return f"unreadable: {one.key}: {one.why}"
    user = one.user or _ANONYMOUS
    if one.unreadable:
        user = f"unreadable: {one.unreadable.key}: {one.unreadable.why}"
    times = (shown_time(one.connected_ms), _duration(one.seconds(now_ms()) * 1000))
    return _LINE.format(one.id, *times, shown_time(one.expires_ms), user)


def _user(known: Known) -> str:
    if known.unreadable:
        return f"unreadable: {known.unreadable.why}"
    return known.user or "none: it is anonymous"


def _channels(known: Known) -> str:
    if known.unreadable:
        return "unreadable"
    return ", ".join(known.channels) or "none"


def _expires(known: Known) -> str:
    if not known.is_in_audience:
        return "it has no row: no broadcast to everyone reaches it"
    if known.expires_ms is None:
        return "unreadable: no broadcast reaches it"
    ended = ", which is over: no broadcast reaches it" if known.expires_ms <= now_ms() else ""
    return f"{shown_time(known.expires_ms)}{ended}"


def _time(epoch_ms: int | None) -> str:
    return "not told" if epoch_ms is None else shown_time(epoch_ms)


def _duration(milliseconds: int) -> str:
    """Return a time as hours, minutes and seconds."""
    return str(timedelta(seconds=max(0, milliseconds) // 1000))
