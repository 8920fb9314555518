"""The commands about dead letters: dead-letters, redrive."""

from itertools import islice
from typing import Annotated

import typer

from crier import terminal
from crier.commands.account_views import now_ms
from crier.commands.dead_letter_views import note_hidden, note_left_out, show_letters, show_redriven
from crier.deployed.accounts import Accounts
from crier.deployed.dead_letters import DeadLetterQueue, dead_letter_queues
from crier.deployed.letter import DeadLetter
from crier.deployed.redrive import Deed, Redriven
from crier.deployed.redrive import redrive as redrive_queue
from crier.errors import CrierError
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


def redrive(
    message_id: Annotated[
        str | None,
        typer.Argument(
            metavar="MESSAGE_ID",
            help="The message's id, as `dead-letters` shows it; else all of them.",
        ),
    ] = None,
    *,
    rejected: Annotated[
        bool,
        typer.Option(
            "--rejected",
            help="Put back rejected ones, too, where they would not be rejected again at once.",
        ),
    ] = False,
    as_json: AsJson = False,
    stack: Stack = None,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Put dead letters back to the queue that they came from, and say what became of each.

    A broadcast keeps its id and its time to live. What belongs to a settled broadcast is only
    deleted.

    Exit codes: 0 done, also when some were kept; 1 an error, as a message that is not there;
    2 wrong use.
    """
    deployment = find_deployment(stack, profile, region)
    accounts, queues = Accounts.of(deployment), dead_letter_queues(deployment)
    note_hidden(queues)
    done: list[Redriven] = []
    for queue in queues:
        for one in redrive_queue(
            queue, accounts.find, only=message_id, rejected=rejected, now_ms=now_ms()
        ):
            done.append(one)
            if not as_json:
                show_redriven(one)
    if as_json:
        terminal.show_json([one.as_json() for one in done])
    if message_id is not None and not done:
        raise CrierError(
            f"no dead letter has the id {message_id}: `python -m crier dead-letters` lists them"
        )
    if not done:
        terminal.note("There are no dead letters.")
    if any(one.deed is Deed.FAILED for one in done):
        raise typer.Exit(1)
