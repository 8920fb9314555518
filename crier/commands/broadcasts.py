"""The command that lists the last broadcasts: broadcasts."""

from typing import Annotated

import typer

from broadcasting.audience import EVERYONE, LISTED, stream_of_user
from broadcasting.ledger_items import LIFE_DAYS
from crier import terminal
from crier.commands.account_views import (
    account_as_json,
    note_contradictions,
    note_more,
    show_accounts,
)
from crier.commands.audience_options import refuse_two
from crier.commands.names import channel_name, user_name
from crier.deployed.account_reader import AccountReader
from crier.deployed.addressed import Addressed
from crier.numbers import number_within
from crier.options import AsJson, Profile, Region, Stack, find_deployment

MOST_BROADCASTS = 1_000

Channel = Annotated[
    str | None, typer.Option(parser=channel_name, help="Only broadcasts to this channel.")
]
User = Annotated[str | None, typer.Option(parser=user_name, help="Only broadcasts to this user.")]
Connections = Annotated[
    bool,
    typer.Option("--connections", help="Only broadcasts to connections by their ids."),
]


def broadcasts(
    *,
    channel: Channel = None,
    user: User = None,
    connections: Connections = False,
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
    """List the last broadcasts to everyone, or to another audience, the newest first."""
    refuse_two({"--channel": channel, "--user": user, "--connections": connections})
    stream = _stream(channel, user, is_listed=connections)
    found = AccountReader.of(find_deployment(stack, profile, region)).recent(limit, stream)
    if stream == EVERYONE:
        terminal.note(
            "Broadcasts to everyone; --channel, --user and --connections list those to others"
        )
    if as_json:
        terminal.show_json([account_as_json(one) for one in found.shown])
    elif found.shown:
        show_accounts(found.shown)
    else:
        terminal.note(
            f"There are no broadcasts to {Addressed(stream).words} in the ledger; it keeps them "
            f"for {LIFE_DAYS} days."
        )
    note_contradictions(found.shown)
    if found.more:
        note_more(limit, found.more, MOST_BROADCASTS)


def _stream(channel: str | None, user: str | None, *, is_listed: bool) -> str:
    """Return the stream that is asked for."""
    if user is not None:
        return stream_of_user(user)
    return channel or (LISTED if is_listed else EVERYONE)
