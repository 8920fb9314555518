"""The command that shows one connection: inspect."""

import time
from typing import Annotated

import typer

from crier import terminal
from crier.commands.connection_views import inspected_as_json, show_inspected
from crier.commands.names import connection_id
from crier.deployed.connection_rows import ConnectionRows, Known
from crier.deployed.connections_api import ConnectionsApi
from crier.errors import CrierError
from crier.options import AsJson, Profile, Region, Stack, find_deployment

Id = Annotated[
    str,
    typer.Argument(
        metavar="ID",
        parser=connection_id,
        help="The connection's id. One that begins with a dash comes after --.",
    ),
]


def inspect(
    id_: Id,
    *,
    as_json: AsJson = False,
    stack: Stack = None,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Show a connection: since when, from where, whose it is, and until when its row is of use.

    Exit codes: 0 it is open; 1 it is gone, or another error; 2 wrong use.
    """
    deployment = find_deployment(stack, profile, region)
    inspected = ConnectionsApi.of(deployment, wait=_wait).get(id_)
    known = ConnectionRows.of(deployment, wait=_wait).find(id_)
    if as_json:
        terminal.show_json(inspected_as_json(known, inspected))
    if inspected is None:
        raise CrierError(_gone(known))
    if not as_json:
        show_inspected(known, inspected)


def _wait(seconds: float) -> bool:
    time.sleep(seconds)
    return False


def _gone(known: Known) -> str:
    rows = (
        f"its rows are still there: the next broadcast, or `crier kick {known.id}`, removes them"
        if known.has_rows
        else "it has no rows either: was it a connection of this stack? `crier connections` lists "
        "those that are there"
    )
    return f"connection {known.id} is gone: it is closed, or was never open; {rows}"
