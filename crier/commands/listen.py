"""The command that shows what a client receives, each once and in order: listen."""

import asyncio
import random
from collections.abc import Collection
from typing import Annotated

import typer

from broadcasting.audience import EVERYONE, OWN
from crier.commands.listen_output import Output
from crier.commands.names import channel_name
from crier.deployed.deployment import Deployment
from crier.errors import CrierError
from crier.listening.address import Address
from crier.listening.client import Client
from crier.listening.listener import Event, Listener
from crier.listening.tokens import CommandToken, FixedToken, Tokens
from crier.listening.waits import Waits
from crier.numbers import number_within
from crier.options import Profile, Region, Stack, find_deployment, refuse_lone_options

_MOST_CHANNELS = 50
_NO_CHANNEL = (EVERYONE, OWN)
_QUERY, _PROTOCOL = "query", "protocol"


def _channel(given: str) -> str:
    """Return a channel's name, or * or @. Raises typer.BadParameter."""
    return given if given in _NO_CHANNEL else channel_name(given)


def _place(given: str) -> str:
    """Return where a token goes. Raises typer.BadParameter."""
    if given not in (_QUERY, _PROTOCOL):
        raise typer.BadParameter(f"found {given!r:.200}, expected {_QUERY} or {_PROTOCOL}")
    return given


Url = Annotated[
    str | None,
    typer.Argument(
        metavar="URL",
        help="The WebSocket URL, such as wss://API_ID.execute-api.REGION.amazonaws.com/STAGE. "
        "Without it: that of --stack, or of the local run.",
    ),
]
ChannelNames = Annotated[
    list[str] | None,
    typer.Option(
        "--channel",
        metavar="CHANNEL",
        parser=_channel,
        help=f"Show this channel only; give it again for others, up to {_MOST_CHANNELS}. * is what "
        "goes to everyone, @ what goes to the own user. Without it: all that comes without "
        "subscribing.",
        show_default=False,
    ),
]
Since = Annotated[
    int | None,
    typer.Option(
        parser=number_within(0, 2**53 - 1),
        metavar="SEQ",
        help="Begin after this number of each channel that is shown, so that what was sent since "
        "is shown first. Without it: what is sent from now on.",
    ),
]
Token = Annotated[
    str | None, typer.Option(help="The token or ticket that lets the client in, for each connect.")
]
TokenCommand = Annotated[
    str | None,
    typer.Option(
        metavar="COMMAND",
        help="A command of the shell that prints a token; it is run for each connect.",
    ),
]
TokenIn = Annotated[
    str | None,
    typer.Option(
        parser=_place,
        metavar="PLACE",
        help="Where the token goes: into the query, or as a sub-protocol (protocol), so that it is "
        "in no URL. Without it: query.",
    ),
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print each frame, and each gap, as a line of JSON.")
]
Count = Annotated[
    int | None,
    typer.Option(parser=number_within(1), help="End after this number of frames."),
]
Timeout = Annotated[
    int | None,
    typer.Option(
        parser=number_within(1),
        metavar="SECONDS",
        help="End after this time: an error if it has not connected, or there were fewer frames "
        "than --count.",
    ),
]


def listen(
    url: Url = None,
    *,
    channel: ChannelNames = None,
    since: Since = None,
    token: Token = None,
    token_command: TokenCommand = None,
    token_in: TokenIn = None,
    as_json: AsJson = False,
    count: Count = None,
    timeout: Timeout = None,
    stack: Stack = None,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Connect as a client does, and show what comes: each frame once, in order, none missed.

    It connects again by itself, asks for what it missed, and says what is lost. Ctrl-C ends it.
    """
    names = _names(channel)
    tokens = _tokens(token, token_command)
    if token_in is not None and tokens is None:
        raise typer.BadParameter("--token-in is given without --token or --token-command")
    found = _url(url, stack, profile, region, has_token=tokens is not None)
    address = _address(found, token, token_in)
    first = None if since is None else {"seq": since}
    output = Output(names, as_json=as_json, most_frames=count)
    tokens = tokens or FixedToken(None)
    client = Client(
        Waits(jitter=random.random),
        first=dict.fromkeys(names or (EVERYONE,), first),
        most_denials=tokens.most_denials,
    )
    _show(client, address, tokens, names, output, timeout_seconds=timeout)


def _show(
    client: Client,
    address: Address,
    tokens: Tokens,
    names: Collection[str],
    output: Output,
    *,
    timeout_seconds: int | None,
) -> None:
    """Run the client, and show what comes of it. Raises CrierError, and typer.Exit at Ctrl-C."""

    def show(event: Event) -> None:
        output.show(event)
        if not _is_any_left(client, names):
            listener.close()

    listener = Listener(client, address, tokens, show)
    output.on_enough = listener.close
    try:
        asyncio.run(_run(listener, timeout_seconds))
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    if not _is_any_left(client, names):
        raise CrierError("no channel is left to show: the server has refused each one, see above")
    output.raise_if_unfinished(timeout_seconds)


def _names(channels: list[str] | None) -> tuple[str, ...]:
    """Return each channel once. Raises typer.BadParameter when there are too many."""
    names = tuple(dict.fromkeys(channels or ()))
    if len(names) > _MOST_CHANNELS:
        raise typer.BadParameter(f"found {len(names)} channels, expected {_MOST_CHANNELS} at most")
    return names


def _is_any_left(client: Client, names: Collection[str]) -> bool:
    """Whether anything can come that is to be shown: the server may refuse channels."""
    return not names or any(name in client.channels for name in names)


async def _run(listener: Listener, timeout_seconds: int | None) -> None:
    try:
        async with asyncio.timeout(timeout_seconds):
            await listener.run()
    except TimeoutError:
        return


def _tokens(token: str | None, command: str | None) -> Tokens | None:
    if token is not None and command is not None:
        raise typer.BadParameter("--token and --token-command are given: take one of them out")
    if command is not None:
        return CommandToken(command)
    return None if token is None else FixedToken(token)


def _address(url: str, token: str | None, token_in: str | None) -> Address:
    """Return where to connect to. Raises BadParameter when a token cannot go where it is to."""
    address = Address(url, is_token_in_protocol=token_in == _PROTOCOL)
    if token is not None and not address.takes(token):
        raise typer.BadParameter(
            "--token has characters that no sub-protocol can have: send it with --token-in query"
        )
    return address


def _url(
    url: str | None, stack: str | None, profile: str | None, region: str | None, *, has_token: bool
) -> str:
    """Return where to connect to. Raises CrierError when a stack wants what is not given."""
    if url is not None:
        if stack is not None:
            raise typer.BadParameter("a URL and --stack are given: take one of them out")
        refuse_lone_options(stack, profile, region)
        return url
    deployment = find_deployment(stack, profile, region)
    if not has_token:
        _refuse_missing_token(deployment)
    return deployment.web_socket_url


def _refuse_missing_token(deployment: Deployment) -> None:
    if deployment.auth in ("jwt", "ticket"):
        cure = "--token or --token-command"
    elif deployment.auth == "iam":
        cure = "its signed URL in place of --stack"
    else:
        return
    raise CrierError(
        f"stack {deployment.stack} lets clients in by auth={deployment.auth}: give {cure}"
    )
