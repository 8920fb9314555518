"""Shows accounts of broadcasts: data on stdout, progress on stderr."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from broadcasting.ledger_items import partition_of_broadcast
from broadcasting.ledger_rows import FailedConnection
from crier import terminal
from crier.commands.account_table import account_rows, unreadable_words
from crier.commands.times import now_ms, shown_time
from crier.deployed.account import Account
from crier.deployed.row_values import UnreadableRow

_COUNTS = ("targeted", "delivered", "gone", "failed", "expired", "excluded")
_TITLES = ("opened", "state", *_COUNTS, "seconds", "id")
_LINE = "{:<20}  {:<7} {:>9} {:>9} {:>8} {:>7} {:>7} {:>8} {:>8}  {}"


@contextmanager
def settling() -> Iterator[Callable[[Account], None]]:
    """Show a progress bar until the block ends: call what is yielded with each new account."""
    with terminal.progress() as bars:
        task = bars.add_task("Waiting until it is opened", total=None)

        def show(account: Account) -> None:
            is_known = account.counts.targeted and not account.unread_shards
            bars.update(
                task,
                description="Settled" if account.is_settled else "Delivering",
                completed=account.counts.ended,
                total=account.counts.targeted if is_known or account.is_settled else None,
            )

        yield show


def account_as_json(one: Account | UnreadableRow) -> dict[str, Any]:
    """Return an account as JSON; of one that cannot be read, its row."""
    if isinstance(one, Account):
        return one.as_json(now_ms())
    prefix = partition_of_broadcast("")
    id_ = one.pk.removeprefix(prefix) if one.pk.startswith(prefix) else None
    return {"id": id_, "state": "unreadable", "unreadable": [one.as_json()]}


def show_account(account: Account) -> None:
    """Show one account."""
    terminal.show_table(account_rows(account, now_ms()))


def show_unreadable(broadcast_id: str, row: UnreadableRow) -> None:
    """Show that the summary of a broadcast cannot be read."""
    terminal.show_table(
        {"Broadcast": broadcast_id, "State": "unreadable", "Unreadable": unreadable_words(row)}
    )


def note_contradictions(accounts: Iterable[Account | UnreadableRow]) -> None:
    """Say on stderr which accounts of a list contradict themselves."""
    ids = [one.id for one in accounts if isinstance(one, Account) and one.contradictions]
    if ids:
        they = "This account contradicts itself" if len(ids) == 1 else "These contradict themselves"
        terminal.note(f"{they}; `crier status ID` says how: {', '.join(ids)}")


def note_doubt() -> None:
    """Say on stderr what to do about an account whose sums may be wrong."""
    terminal.note(
        "Rows that contradict themselves, or that cannot be read, were written by another version "
        "of Crier, by hand or by a fault: do not rely on these sums. The function's log has what "
        "each invocation counted (`slice closed`, `settled`), docs/operator/running.md says what "
        "to do."
    )


def show_failed(failed: Sequence[FailedConnection | UnreadableRow]) -> None:
    """Show which connections failed and why, and which rows cannot be read, a line each.

    If there are none, it says so on stderr.
    """
    if not failed:
        terminal.note("No connection failed.")
    for one in failed:
        if isinstance(one, UnreadableRow):
            line = f"unreadable: {unreadable_words(one)}"
        else:
            line = f"{one.id}  {one.reason}"
        terminal.out.print(terminal.plain(line), soft_wrap=True)


def show_accounts(accounts: Sequence[Account | UnreadableRow]) -> None:
    """Show the accounts of several broadcasts, a line each. Ids may be long, so they come last."""
    terminal.out.print(_LINE.format(*_TITLES), style="bold", soft_wrap=True, highlight=False)
    now = now_ms()
    for one in accounts:
        line = _unreadable_line(one) if isinstance(one, UnreadableRow) else _line(one, now)
        terminal.out.print(terminal.plain(line), soft_wrap=True)


def note_more(shown: int, more: int, most: int) -> None:
    """Say on stderr how many broadcasts are not shown."""
    wanted = shown + more
    them = "it" if more == 1 else "them"
    cure = f"--limit {wanted} shows {them}" if wanted <= most else f"--limit goes to {most:,}"
    last = "The last one is" if shown == 1 else f"The last {shown:,} are"
    others = "1 more is" if more == 1 else f"{more:,} more are"
    terminal.note(f"{last} shown, {others} in the ledger; {cure}")


def show_end(account: Account) -> None:
    """Say on stderr how a broadcast ended."""
    counts = account.counts
    excluded = f", {counts.excluded:,} excluded" if counts.excluded else ""
    terminal.note(
        f"{counts.delivered:,} delivered, {counts.gone:,} gone, {counts.failed:,} failed, "
        f"{counts.expired:,} expired{excluded}, in {account.seconds(now_ms()):,.1f} s"
    )
    if not counts.targeted:
        other = "other " if counts.excluded else ""
        terminal.note(f"No {other}connection was there.")


def _line(account: Account, now: int) -> str:
    seconds = f"{account.seconds(now):.1f}"
    sums = (getattr(account.counts, name) for name in _COUNTS)
    return _LINE.format(shown_time(account.opened_ms), account.state, *sums, seconds, account.id)


def _unreadable_line(row: UnreadableRow) -> str:
    return f"{'unreadable':<20}  {unreadable_words(row)}"
