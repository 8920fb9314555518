"""The command that lists dead letters: dead-letters."""

from itertools import islice
from typing import Annotated

import typer

from crier import terminal
from crier.commands.dead_letter_views import note_hidden, note_left_out, show_letters
from crier.deployed.dead_letters import DeadLetterQueue, dead_letter_queues
from crier.deployed.letter import DeadLetter
from crier.numbers import number_within
from crier.options import AsJson, Profile, Region, Stack, find_deployment

MOST_LETTERS = 10_000
"""The most letters of each queue in one list: they are hidden while the list is made."""


def dead_letters(
    *,
    limit: Annotated[
        int,
        typer.Option(
            parser=number_within(1, MOST_LETTERS),
            help=f"How many to list of each queue, at most: 1 to {MOST_LETTERS}.",
        ),
    ] = 100,
    as_json: AsJson = False,
    stack: Stack = None,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """List the dead letters, and why they are there: rejected broadcasts, slices given up.

    The command takes nothing away: it hides each message from other readers while it reads, and
    makes it visible again at its end.
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
    """Return the first letters of a queue; say so when the queue has more."""
    visible = queue.waiting().visible
    with queue.held() as letters:
        found = list(islice(letters, limit))
        is_all = next(letters, None) is None
    if not is_all:
        note_left_out(queue.origin, shown=len(found), visible=visible, most=MOST_LETTERS)
    return found
