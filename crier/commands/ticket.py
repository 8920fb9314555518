"""The command that makes a ticket, to try out how clients come in by one: ticket."""

import shlex
from threading import Event
from typing import Annotated

import typer

from crier import terminal
from crier.commands.invitation import local_wscat
from crier.commands.names import channel_patterns, user_name
from crier.commands.times import now_ms
from crier.deployed.connection_rows import ConnectionRows
from crier.deployed.deployment import Deployment
from crier.errors import CrierError
from crier.numbers import number_within
from crier.options import AsJson, Profile, Region, Stack, find_deployment

TICKET = "ticket"
"""What the stack's output `Auth` says when tickets let clients in."""

MOST_SECONDS = 60

User = Annotated[str, typer.Option(parser=user_name, help="Whose connection it will be.")]
Channels = Annotated[
    str | None,
    typer.Option(
        parser=channel_patterns,
        help='The channels that the client may use, such as "news game:*". Without it, the '
        "ticket says nothing of channels.",
    ),
]
Seconds = Annotated[
    int,
    typer.Option(
        parser=number_within(1, MOST_SECONDS),
        help=f"For how long it lets the client in: 1 to {MOST_SECONDS}.",
    ),
]


def ticket(
    *,
    user: User,
    channels: Channels = None,
    seconds: Seconds = MOST_SECONDS,
    as_json: AsJson = False,
    stack: Stack = None,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Make a ticket, which lets one client in once, and print the URL to connect with.

    It is for trying out a stack with auth=ticket: an application writes tickets by itself.
    """
    deployment = find_deployment(stack, profile, region)
    _refuse_other_auth(deployment)
    expires_seconds = now_ms() // 1000 + seconds
    made = ConnectionRows.of(deployment, wait=Event().wait).new_ticket(
        user=user, channels=channels, expires_seconds=expires_seconds
    )
    url = f"{deployment.web_socket_url}?token={made}"
    if as_json:
        terminal.show_json({"ticket": made, "url": url, "expiresAt": expires_seconds})
        return
    terminal.show_line(url)
    terminal.show_line(_wscat(deployment, url))
    terminal.note(f"It lets one client in, once, within {seconds} s.")


def _refuse_other_auth(deployment: Deployment) -> None:
    if deployment.auth != TICKET:
        raise CrierError(
            f"stack {deployment.stack} lets clients in by auth={deployment.auth}, expected "
            f"auth={TICKET}: no ticket was made; deploy it with auth={TICKET}"
        )


def _wscat(deployment: Deployment, url: str) -> str:
    """Return the line that connects: a URL with a question mark is quoted for the shell."""
    if deployment.endpoint_url is not None:
        return local_wscat(url)
    return f"npx wscat -c {shlex.quote(url)}"
