"""The command that throws connections out: kick."""

from threading import Event
from typing import Annotated

import typer

from broadcasting.bye import MOST_AFTER_MS, ByeCode, bye_of
from crier import terminal
from crier.commands.kick_views import Denial, kicking, note_stopped, show_tally, tally_as_json
from crier.commands.names import connection_id, user_name
from crier.commands.times import now_ms
from crier.deployed.connection_rows import ConnectionRows, Known
from crier.deployed.connections_api import ConnectionsApi
from crier.deployed.deployment import Deployment
from crier.deployed.kick import Kicker
from crier.deployed.kicking import Tally, kick_all
from crier.errors import CrierError
from crier.numbers import number_within
from crier.options import AsJson, Profile, Region, Stack, find_deployment

MOST_DENIED_SECONDS = 86_400

Id = Annotated[
    str | None,
    typer.Argument(
        metavar="ID",
        parser=connection_id,
        help="The connection's id. One that begins with a dash comes after --.",
    ),
]
User = Annotated[str | None, typer.Option(parser=user_name, help="All connections of this user.")]
Code = Annotated[ByeCode, typer.Option(help="What the client is told: why it is closed.")]
ReconnectAfter = Annotated[
    int | None,
    typer.Option(
        "--reconnect-after",
        parser=number_within(0, MOST_AFTER_MS),
        help="Tell the client to connect again, within this many milliseconds: 0 to "
        f"{MOST_AFTER_MS}. Without it, it is told to stay away when the code is kicked, and to "
        "connect again at once with another code.",
    ),
]
Deny = Annotated[
    int | None,
    typer.Option(
        parser=number_within(1, MOST_DENIED_SECONDS),
        help=f"Keep the user out for this many seconds: 1 to {MOST_DENIED_SECONDS}. It needs a "
        "stack with denyList=true.",
    ),
]


def kick(
    id_: Id = None,
    *,
    user: User = None,
    code: Code = ByeCode.KICKED,
    reconnect_after: ReconnectAfter = None,
    deny: Deny = None,
    as_json: AsJson = False,
    stack: Stack = None,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Throw a connection out, or all of a user: say bye to each, close it, remove its rows.

    Before the first one it is checked that the credentials may do all of that.

    Exit codes: 0 all are closed, also those that were gone already; 1 an error, such as an id that
    is not known, or connections that could not be closed; 2 wrong use.
    """
    if (id_ is None) == (user is None):
        raise typer.BadParameter("name one of the two: the ID of a connection, or --user")
    deployment = find_deployment(stack, profile, region)
    _refuse_vain_deny(deployment, deny)
    over = Event()
    rows = ConnectionRows.of(deployment, wait=over.wait)
    known = None if id_ is None else rows.find(id_)
    denied = None if deny is None else _denial(known, user, deny)
    api = ConnectionsApi.of(deployment, wait=over.wait)
    kicker = Kicker(api, rows, bye=bye_of(code, reconnect_after), epoch_ms=now_ms)
    kicker.check_permissions()
    if denied is not None:
        _keep_out(rows, denied, is_listed=user is not None)
    if known is not None:
        tally = _kick_one(kicker, known)
    else:
        tally = _kick_user(kicker, rows, user or "", over)
    if as_json:
        terminal.show_json(tally_as_json(tally, denied))
    else:
        show_tally(tally, denied)
    if tally.failed or not tally.is_all:
        raise typer.Exit(1)


def _refuse_vain_deny(deployment: Deployment, deny: int | None) -> None:
    if deny is not None and not deployment.deny_list:
        raise CrierError(
            f"stack {deployment.stack} looks at no deny list, so --deny would keep no user out: "
            "deploy it with denyList=true, or leave --deny out; nothing was changed"
        )


def _denial(known: Known | None, user: str | None, seconds: int) -> Denial:
    """Return who is kept out, and until when. Raises CrierError when no row names the user."""
    user = user if known is None else known.user
    if user is None and known is not None:
        what = known.unreadable.why if known.unreadable else "it is anonymous, or not known"
        raise CrierError(
            f"--deny keeps a user out, and no row says whose connection {known.id} is ({what}): "
            "leave --deny out, or name the user by --user; nothing was changed"
        )
    return Denial(user or "", now_ms() // 1000 + seconds)


def _keep_out(rows: ConnectionRows, denied: Denial, *, is_listed: bool) -> None:
    """Deny a user before the first connection is kicked: its client may come back at once.

    Where the user's connections are still to be listed, it is checked first that they can be.
    """
    if is_listed:
        rows.check_listing(denied.user)
    rows.deny(denied.user, denied.until_seconds)


def _kick_one(kicker: Kicker, known: Known) -> Tally:
    """Kick a connection. Raises CrierError when there is none of its id, nor a row."""
    tally = Tally(met=1)
    tally.add(kicker.kick(known))
    if tally.gone and not known.has_rows:
        raise CrierError(
            f"connection {known.id} is not known: API Gateway says that it is gone, and it has no "
            "rows; `crier connections` lists those that are there"
        )
    return tally


def _kick_user(kicker: Kicker, rows: ConnectionRows, user: str, over: Event) -> Tally:
    """Kick all connections of a user; say how far that was when it is interrupted."""
    tally = Tally()
    try:
        with kicking() as (on_met, on_end):
            kick_all(
                lambda: rows.of_user(user),
                kicker.kick,
                tally,
                on_met=on_met,
                on_end=on_end,
                stop=over.set,
            )
    except BaseException:
        note_stopped(tally)
        raise
    return tally
