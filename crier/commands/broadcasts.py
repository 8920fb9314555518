"""The command that lists the last broadcasts: broadcasts."""

from typing import Annotated

import typer

from broadcasting.ledger_items import LIFE_DAYS
from crier import terminal
from crier.commands.account_views import (
    account_as_json,
    note_contradictions,
    note_more,
    show_accounts,
)
from crier.deployed.account_reader import AccountReader
from crier.numbers import number_within
from crier.options import AsJson, Profile, Region, Stack, find_deployment

MOST_BROADCASTS = 1_000


def broadcasts(
    *,
    limit: Annotated[
        int,
        typer.Option(
            parser=number_within(1, MOST_BROADCASTS),
            help=f"How many to list, at most: 1 to {MOST_BROADCASTS}.",
        ),
    ] = 20,
    as_json: AsJson = False,
    stack: Stack = None,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """List the last broadcasts, the newest first."""
    found = AccountReader.of(find_deployment(stack, profile, region)).recent(limit)
    if as_json:
        terminal.show_json([account_as_json(one) for one in found.shown])
    elif found.shown:
        show_accounts(found.shown)
    else:
        terminal.note(f"There are no broadcasts in the ledger; it keeps them for {LIFE_DAYS} days.")
    note_contradictions(found.shown)
    if found.more:
        note_more(limit, found.more, MOST_BROADCASTS)
