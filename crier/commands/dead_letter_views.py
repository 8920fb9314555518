"""Shows dead letters, and what became of them."""

from collections.abc import Iterable, Sequence

from rich.text import Text

from broadcasting.strict_json import cut
from crier import terminal
from crier.commands.times import shown_time
from crier.deployed.dead_letters import DeadLetterQueue
from crier.deployed.letter import DeadLetter, Origin
from crier.deployed.redrive import Redriven
from crier.deployed.redrive_decision import Action

_BODY_CHARACTERS = 200
_ID_CHARACTERS = 128
"""More than an id has. A producer may write a megabyte in its place."""
_STYLES = {
    Action.PUT_BACK: "green",
    Action.DELETED: "green",
    Action.KEPT: "yellow",
    Action.FAILED: "red",
}


def show_letters(letters: Sequence[DeadLetter]) -> None:
    """Show dead letters, a few lines each."""
    for one in letters:
        terminal.out.print(Text(f"{one.origin.value}  {one.message_id}", style="bold"))
        for name, value in _rows(one).items():
            terminal.out.print(terminal.plain(f"  {name:<10} {value}"), soft_wrap=True)


def show_redriven(redriven: Redriven) -> None:
    """Say what became of one dead letter."""
    letter = redriven.letter
    text = Text(f"{redriven.action.value:<9} ", style=_STYLES[redriven.action])
    text.append(f"{letter.origin.value}  {letter.message_id}  ", style="none")
    text.append_text(terminal.plain(_about(letter), style="none"))
    text.append_text(terminal.plain(redriven.why, style="none"))
    terminal.out.print(text, soft_wrap=True)


def note_hidden(queues: Iterable[DeadLetterQueue]) -> None:
    """Say on stderr how many messages are hidden, because another reader has received them."""
    for queue in queues:
        if hidden := queue.waiting().hidden:
            are, them = ("is", "it") if hidden == 1 else ("are", "them")
            terminal.note(
                f"{queue.origin.value}: about {hidden:,} more {are} hidden for a while: another "
                f"reader has received {them}"
            )


def note_left_out(origin: Origin, *, shown: int, visible: int, most: int) -> None:
    """Say on stderr how many messages of a queue are not shown; SQS counts them roughly."""
    more = max(1, visible - shown)
    wanted = min(shown + more, most)
    more_can_be = shown < most
    them, are_there = ("it", "is") if more == 1 else ("them", "are")
    cure = f"--limit {wanted} shows {them}" if more_can_be else f"a list has {most:,} at most"
    found = f"{shown:,} {'is' if shown == 1 else 'are'} shown"
    terminal.note(f"{origin.value}: {found}, about {more:,} more {are_there} there; {cure}")


def _rows(letter: DeadLetter) -> dict[str, str]:
    """Return what is shown of a dead letter, under its title."""
    id_ = cut(letter.broadcast_id, _ID_CHARACTERS)
    broadcast = id_ or f"unreadable: {letter.unreadable}"
    is_known = letter.first_id == letter.message_id
    shown = {
        "why": letter.why,
        "broadcast": broadcast,
        "slice": letter.slice_id.slice_id if letter.origin is Origin.SLICES else "",
        "first id": "" if is_known else cut(letter.first_id, _ID_CHARACTERS),
        "sent": shown_time(letter.sent_ms) if letter.sent_ms else "unknown",
        "attributes": ", ".join(letter.attributes),
        "body": cut(letter.body, _BODY_CHARACTERS),
    }
    return {title: value for title, value in shown.items() if value}


def _about(letter: DeadLetter) -> str:
    if not letter.broadcast_id:
        return ""
    slice_id = letter.slice_id.slice_id if letter.origin is Origin.SLICES else ""
    id_ = cut(letter.broadcast_id, _ID_CHARACTERS)
    return f"broadcast {id_}{f' slice {slice_id}' if slice_id else ''}: "
