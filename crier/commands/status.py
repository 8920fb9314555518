"""The command that shows one broadcast: status."""

import time
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from broadcasting.ledger_items import LIFE_DAYS
from broadcasting.ledger_rows import FailedConnection
from crier import terminal
from crier.commands.account_views import (
    account_as_json,
    note_doubt,
    settling,
    show_account,
    show_failed,
    show_unreadable,
)
from crier.deployed.account import Account
from crier.deployed.account_reader import AccountReader, watch
from crier.deployed.row_values import UnreadableError, UnreadableRow
from crier.errors import NOT_SETTLED, SOME_FAILED, CrierError
from crier.options import AsJson, Profile, Region, Stack, find_deployment

_OPENING_SECONDS = 10.0
"""How long --watch waits for a broadcast that the ledger does not know yet."""


Id = Annotated[str, typer.Argument(metavar="ID", help="The broadcast's id.")]
Failed = Annotated[
    bool, typer.Option("--failed", help="List the connections that failed, and why.")
]
Watch = Annotated[
    bool, typer.Option("--watch", help="Show the progress until the broadcast is settled.")
]


def status(
    id_: Id,
    *,
    failed: Failed = False,
    live: Watch = False,
    as_json: AsJson = False,
    stack: Stack = None,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Show a broadcast: audience, state, counts, rate, duration.

    Exit codes: 0 shown; 1 an error, such as a broadcast that the ledger does not know, or a
    summary that cannot be read; 2 wrong use; with --watch, 3 some connections failed, 4 nothing
    can settle the broadcast.
    """
    accounts = AccountReader.of(find_deployment(stack, profile, region))
    try:
        account = _watched(accounts, id_) if live else accounts.find(id_)
    except UnreadableError as error:
        _show_unreadable(accounts, id_, error.row, failed=failed, as_json=as_json)
        raise typer.Exit(1) from error
    if account is None:
        raise CrierError(_unknown(id_))
    account = accounts.with_audience(accounts.examine(account))
    found = list(accounts.failed(id_)) if failed else None
    if as_json:
        terminal.show_json(account_as_json(account) | _failed_as_json(found, account.unreadable))
    else:
        show_account(account)
        if found is not None:
            show_failed(found)
    if account.contradictions or _unreadable_rows(found, account.unreadable):
        note_doubt()
    if live and account.is_stuck:
        raise typer.Exit(NOT_SETTLED)
    if live and account.counts.failed:
        raise typer.Exit(SOME_FAILED)


def _watched(accounts: AccountReader, broadcast_id: str) -> Account | None:
    """Wait until a broadcast is settled and return its account, None if it is not opened soon."""
    with settling() as show:
        until = time.monotonic() + _OPENING_SECONDS
        if accounts.find(broadcast_id) or watch(accounts, broadcast_id, until=until):
            return watch(accounts, broadcast_id, until=float("inf"), on_account=show)
    return None


def _show_unreadable(
    accounts: AccountReader, broadcast_id: str, row: UnreadableRow, *, failed: bool, as_json: bool
) -> None:
    """Show what can be read of a broadcast whose summary cannot."""
    found = list(accounts.failed(broadcast_id)) if failed else None
    if as_json:
        terminal.show_json(account_as_json(row) | _failed_as_json(found, (row,)))
    else:
        show_unreadable(broadcast_id, row)
        if found is not None:
            show_failed(found)
    note_doubt()


def _failed_as_json(
    found: Sequence[FailedConnection | UnreadableRow] | None, known: Sequence[UnreadableRow]
) -> dict[str, Any]:
    """Return the connections that failed, and all rows that cannot be read."""
    if found is None:
        return {}
    connections = [one for one in found if isinstance(one, FailedConnection)]
    return {
        "failed": [{"connection": one.id, "reason": one.reason} for one in connections],
        "unreadable": [one.as_json() for one in _unreadable_rows(found, known)],
    }


def _unreadable_rows(
    found: Sequence[FailedConnection | UnreadableRow] | None, known: Sequence[UnreadableRow]
) -> list[UnreadableRow]:
    return [*known, *(one for one in found or () if isinstance(one, UnreadableRow))]


def _unknown(broadcast_id: str) -> str:
    return (
        f"the ledger does not know broadcast {broadcast_id}: it is not opened yet, was rejected "
        f"(`crier dead-letters` says so), or was opened more than {LIFE_DAYS} days ago; "
        "`crier broadcasts` lists the broadcasts in the ledger"
    )
