"""The command that enqueues a broadcast: send."""

import time
from collections.abc import Mapping
from typing import Annotated, Any
from uuid import uuid4

import typer
from typer._click import Context  # Typer has no public name for these two
from typer._click.exceptions import NoSuchOption
from typer.core import TyperCommand

from broadcasting.errors import RejectedError
from crier import terminal
from crier.commands.account_views import settling, show_end
from crier.commands.audience_options import Channel, ConnectionIds, Exclude, User, audience_keys
from crier.commands.message_source import read_message
from crier.deployed.account import Account
from crier.deployed.account_reader import AccountReader, watch
from crier.deployed.producer import enqueue
from crier.deployed.request import checked, repeated_key, request_of
from crier.errors import NOT_SETTLED, SOME_FAILED, CrierError, explained
from crier.numbers import number_within
from crier.options import Profile, Region, Stack, find_deployment, refuse_lone_options

_TIMEOUT_SECONDS = 300

_OPTIONS = {
    "id": "--id",
    "ttlSeconds": "--ttl-seconds",
    "connections": "--connection",
    "exclude": "--exclude",
}
"""The options that become keys of a message, by these keys."""


class SendCommand(TyperCommand):
    """Says how to write a message that begins with a dash when it is taken for an option."""

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        """Read the arguments. Raises NoSuchOption."""
        try:
            return super().parse_args(ctx, args)
        except NoSuchOption as error:
            error.message += "; a message that begins with a dash comes after --"
            raise


Message = Annotated[
    str | None,
    typer.Argument(
        metavar="MESSAGE",
        help="The message: JSON, or a text that does not begin like JSON. - reads standard input. "
        "Type -- before a message that begins with a dash: crier send -- '- item', or crier send "
        "-- -5, which is a number.",
    ),
]
File = Annotated[
    str | None, typer.Option(help="Read the message from this file: UTF-8, at most 1 MiB.")
]
AsText = Annotated[
    bool,
    typer.Option(
        "--text", help="Send the message as a text, whatever it is: JSON, broken JSON, empty."
    ),
]
Id = Annotated[
    str | None,
    typer.Option("--id", help="The broadcast's id. Without it: a random one."),
]
TtlSeconds = Annotated[
    int | None,
    typer.Option(help="From this age on it is sent to no further connection: 1 to 86400 seconds."),
]
Wait = Annotated[bool, typer.Option("--wait", help="Wait until the broadcast is settled.")]
Timeout = Annotated[
    int | None,
    typer.Option(
        parser=number_within(1),
        help=f"How many seconds --wait lasts, at most. Without it: {_TIMEOUT_SECONDS}.",
    ),
]


def send(
    message: Message = None,
    *,
    channel: Channel = None,
    user: User = None,
    connection: ConnectionIds = None,
    exclude: Exclude = None,
    file: File = None,
    as_text: AsText = False,
    id_: Id = None,
    ttl_seconds: TtlSeconds = None,
    wait: Wait = False,
    timeout: Timeout = None,
    stack: Stack = None,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Enqueue a broadcast in the local run or in a deployed stack, and print its id.

    It is for everyone, unless one of --channel, --user and --connection says whom it is for.

    Exit codes: 0 enqueued, and with --wait settled; 1 an error; 2 wrong use, such as a message
    that would be rejected; with --wait, 3 some connections failed, 4 not settled in time.
    """
    refuse_lone_options(stack, profile, region)
    if timeout is not None and not wait:
        raise typer.BadParameter("--timeout needs --wait")
    audience = audience_keys(channel=channel, user=user, connections=connection, exclude=exclude)
    # boto3 sends a request again whose answer is lost: two SQS messages, each with an id of SQS's
    broadcast_id = str(uuid4()) if id_ is None else id_
    text = read_message(message, file)
    request = _request(text, broadcast_id, ttl_seconds, audience, as_text=as_text)
    deployment = find_deployment(stack, profile, region)
    known = AccountReader.of(deployment).find(id_) if wait and id_ else None
    with explained("the broadcast was not enqueued"):
        enqueue(deployment, request)
    terminal.show_line(broadcast_id)
    if wait:
        digest = checked(request).digest
        if known and known.digest == digest:
            terminal.note(f"{id_} was opened before: the same content is not sent again.")
        _wait(AccountReader.of(deployment), broadcast_id, digest, timeout or _TIMEOUT_SECONDS)


def _request(
    text: str,
    id_: str,
    ttl_seconds: int | None,
    audience: Mapping[str, Any],
    *,
    as_text: bool,
) -> dict[str, Any]:
    """Return the body to enqueue. Raises typer.BadParameter when it would be rejected."""
    try:
        request = request_of(text, id_, ttl_seconds, audience=audience, as_text=as_text)
    except RejectedError as error:
        key, colon, wrong = error.reason.partition(": ")
        raise typer.BadParameter(_OPTIONS.get(key, key) + colon + wrong) from error
    if not as_text and (key := repeated_key(text)):
        terminal.note(f"Key {key!r} is given twice in one object: only the last one is sent.")
    return request


def _wait(accounts: AccountReader, broadcast_id: str, digest: str, seconds: int) -> None:
    """Wait until a broadcast is settled.

    Raises typer.Exit when connections failed, or when it takes too long. Raises CrierError when
    the id belongs to another broadcast.
    """
    with settling() as show:

        def look(account: Account) -> None:
            if account.digest != digest:
                raise CrierError(
                    f"id {broadcast_id} belongs to another broadcast, number {account.seq} of "
                    f"those to {account.addressed.words}, so this one is rejected: give it an id "
                    "of its own"
                )
            show(account)

        until = time.monotonic() + seconds
        account = watch(accounts, broadcast_id, until=until, on_account=look)
    if account is None or not account.is_settled:
        in_time = f"Not {'settled' if account else 'opened'} within {seconds} s"
        terminal.note(
            f"{'Nothing can settle it' if account and account.is_stuck else in_time}; see "
            f"`crier status {broadcast_id}` and `crier dead-letters`"
        )
        raise typer.Exit(NOT_SETTLED)
    show_end(account)
    if account.counts.failed:
        terminal.note(
            f"`crier status {broadcast_id} --failed` lists the connections that failed, and why"
        )
        raise typer.Exit(SOME_FAILED)
