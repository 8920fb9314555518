"""The command that puts dead letters back: redrive."""

from typing import Annotated

import typer

from crier import terminal
from crier.commands.dead_letter_views import note_hidden, show_redriven
from crier.commands.times import now_ms
from crier.deployed.account_reader import AccountReader
from crier.deployed.dead_letters import dead_letter_queues
from crier.deployed.redrive import Redriven
from crier.deployed.redrive import redrive as redrive_queue
from crier.deployed.redrive_decision import Action
from crier.errors import CrierError
from crier.options import AsJson, Profile, Region, Stack, find_deployment

MessageId = Annotated[
    str | None,
    typer.Argument(
        metavar="MESSAGE_ID",
        help="The id of one message, as `crier dead-letters` shows it. Without it: all of them.",
    ),
]
Rejected = Annotated[
    bool,
    typer.Option(
        "--rejected",
        help="Put back rejected messages, too, unless they would be rejected again at once.",
    ),
]


def redrive(
    message_id: MessageId = None,
    *,
    rejected: Rejected = False,
    as_json: AsJson = False,
    stack: Stack = None,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Put dead letters back into the queue that they came from, and say what became of each.

    A broadcast keeps its id and its time to live. A message of a settled broadcast is deleted.

    Exit codes: 0 done, even when some messages were kept; 1 an error, such as a message that is
    not there; 2 wrong use.
    """
    deployment = find_deployment(stack, profile, region)
    accounts, queues = AccountReader.of(deployment), dead_letter_queues(deployment)
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
        raise CrierError(f"no dead letter has the id {message_id}: `crier dead-letters` lists them")
    if not done:
        terminal.note("There are no dead letters.")
    if any(one.action is Action.FAILED for one in done):
        raise typer.Exit(1)
