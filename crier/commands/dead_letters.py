"""The command that lists dead letters: dead-letters."""

from itertools import islice
from typing import Annotated

import typer

from crier import terminal
from crier.commands.dead_letter_views import note_hidden, note_left_out, show_letters
from crier.deployed.dead_letters import DeadLetterQueue, dead_letter_queues
from crier.deployed.letter import DeadLetter
from crier.options import AsJson, Profile, Region, Stack, find_deployment

MOST_LETTERS = 10_000
"""How many letters of each queue one list has at most: they are hidden while it is made."""


def dead_letters(
    *,
    limit: Annotated[
        int, typer.Option(min=1, max=MOST_LETTERS, help="How many at most, of each queue.")
    ] = 100,
    as_json: AsJson = False,
    stack: Stack = None,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """List what was given up, and why: rejected broadcasts, and slices that came to no end.

    Nothing is taken away: each message is hidden from others while it is read, and visible again
    in the end.
    """
    queues = dead_letter_queues(find_deployment(stack, profile, region))
    note_hidden(queues)
    found = [letter for queue in queues for letter in _first(queue, limit)]
    if as_json:
        terminal.show_json([letter.as_json() for letter in found])
    elif found:
        show_letters(found)
    else:
        terminal.note("There are no dead letters.")


def _first(queue: DeadLetterQueue, limit: int) -> list[DeadLetter]:
    """Return the first letters of a queue; say so when there are more."""
    visible = queue.waiting().visible
    with queue.held() as letters:
        found = list(islice(letters, limit))
        is_all = next(letters, None) is None
    if not is_all:
        note_left_out(queue.origin, shown=len(found), visible=visible, most=MOST_LETTERS)
    return found
