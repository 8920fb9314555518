"""The command that lists the connections: connections."""

from collections.abc import Iterator
from itertools import islice
from typing import Annotated

import typer

from crier.commands.audience_options import refuse_two
from crier.commands.connection_views import Shown, note_connections, show_connections
from crier.commands.names import channel_name, user_name
from crier.deployed.connections_reader import ConnectionsReader, Listed
from crier.deployed.row_values import UnreadableRow
from crier.numbers import number_within
from crier.options import AsJson, Profile, Region, Stack, find_deployment

MOST_CONNECTIONS = 10_000_000

Channel = Annotated[
    str | None,
    typer.Option(parser=channel_name, help="Only the connections that are subscribed to it."),
]
User = Annotated[
    str | None, typer.Option(parser=user_name, help="Only the connections of this user.")
]
Limit = Annotated[
    int | None,
    typer.Option(
        parser=number_within(1, MOST_CONNECTIONS),
        help="How many to list, at most. Without it: all of them.",
    ),
]


def connections(
    *,
    channel: Channel = None,
    user: User = None,
    limit: Limit = None,
    as_json: AsJson = False,
    stack: Stack = None,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """List the connections, in any order: their ids, users, and since when they are there.

    They are printed while they are read, a page at a time. With --json each is a JSON object in a
    line of its own.
    """
    refuse_two({"--channel": channel, "--user": user})
    reader = ConnectionsReader.of(find_deployment(stack, profile, region))
    found = _found(reader, channel, user)
    shown = show_connections(islice(found, limit), as_json=as_json)
    is_more = limit is not None and _has_more(found, shown, limit)
    note_connections(shown, channel=channel, user=user, is_more=is_more)


def _found(
    reader: ConnectionsReader, channel: str | None, user: str | None
) -> Iterator[Listed | UnreadableRow]:
    if channel is not None:
        return reader.of_channel(channel)
    return reader.everyone() if user is None else reader.of_user(user)


def _has_more(found: Iterator[Listed | UnreadableRow], shown: Shown, limit: int) -> bool:
    return shown.all == limit and next(found, None) is not None
