"""Shows how far a kick is, and how it ended for each connection."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from crier import terminal
from crier.commands.times import shown_time
from crier.deployed.kick import Kicked
from crier.deployed.kicking import Tally
from crier.wording import counted


class Denial(NamedTuple):
    """A user who is kept out, until a time in epoch seconds."""

    user: str
    until_seconds: int


@contextmanager
def kicking() -> Iterator[tuple[Callable[[int], None], Callable[[], None]]]:
    """Show a progress bar until the block ends.

    What is yielded is called with the number of connections that there are, and at each end.
    """
    with terminal.progress() as bars:
        task = bars.add_task("Kicking", total=None)
        yield (
            lambda met: bars.update(task, total=met),
            lambda: bars.advance(task),
        )


def note_denied(denied: Denial) -> None:
    """Say on stderr who is kept out: that holds, also when the kick is stopped then."""
    until = shown_time(denied.until_seconds * 1000)
    terminal.note(f"User {denied.user} is kept out until {until}")


def show_tally(tally: Tally) -> None:
    """Show how it ended: a line for each connection that failed, and the sums."""
    for one in tally.failed:
        terminal.out.print(terminal.plain(_failed(one)), soft_wrap=True)
    terminal.show_line(_sums(tally))
    if tally.untold:
        terminal.note(
            f"{counted(tally.untold, 'connection')} could not be told why: the client takes "
            "nothing more (429), so it was closed without a bye"
        )
    if not tally.is_all:
        terminal.note(
            "More connections of the user have come meanwhile: keep the user out by --deny, or "
            "kick again"
        )


def tally_as_json(tally: Tally, denied: Denial | None) -> dict[str, Any]:
    """Return how it ended, for scripts."""
    return {
        "kicked": tally.kicked,
        "gone": tally.gone,
        "failed": [{"connection": one.id, "reason": one.why} for one in tally.failed],
        "untold": tally.untold,
        "is_all": tally.is_all,
        "denied": None
        if denied is None
        else {"user": denied.user, "until_ms": denied.until_seconds * 1000},
    }


def note_stopped(tally: Tally) -> None:
    """Say on stderr how far it was when it was stopped, and which connections have failed."""
    for one in tally.failed:
        terminal.note(_failed(one))
    terminal.note(f"Stopped: {_sums(tally)}, {tally.not_reached:,} not reached")


def _failed(one: Kicked) -> str:
    return f"failed  {one.id}  {one.why}"


def _sums(tally: Tally) -> str:
    return f"{tally.kicked:,} kicked, {tally.gone:,} gone already, {len(tally.failed):,} failed"
