"""Shows accounts of broadcasts: data on stdout, progress on stderr."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from broadcasting.ledger_items import partition_of_broadcast
from broadcasting.ledger_rows import FailedConnection
from crier import terminal
from crier.commands.times import now_ms, shown_time
from crier.deployed.account import Account
from crier.deployed.open_slices import Delayed, GivenUp
from crier.deployed.row_values import UnreadableRow
from crier.wording import counted

_TITLES = ("opened", "state", "targeted", "delivered", "gone", "failed", "expired", "seconds", "id")
_LINE = "{:<20}  {:<7} {:>9} {:>9} {:>8} {:>7} {:>7} {:>8}  {}"


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
    terminal.show_table(_rows(account, now_ms()))


def show_unreadable(broadcast_id: str, row: UnreadableRow) -> None:
    """Show that the summary of a broadcast cannot be read."""
    terminal.show_table(
        {"Broadcast": broadcast_id, "State": "unreadable", "Unreadable": _unreadable(row)}
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
            line = f"unreadable: {_unreadable(one)}"
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
    terminal.note(
        f"{counts.delivered:,} delivered, {counts.gone:,} gone, {counts.failed:,} failed, "
        f"{counts.expired:,} expired, in {account.seconds(now_ms()):,.1f} s"
    )
    if not counts.targeted:
        terminal.note("No connection was there.")


def _line(account: Account, now: int) -> str:
    counts, seconds = account.counts, f"{account.seconds(now):.1f}"
    sums = (counts.targeted, counts.delivered, counts.gone, counts.failed, counts.expired)
    return _LINE.format(shown_time(account.opened_ms), account.state, *sums, seconds, account.id)


def _unreadable_line(row: UnreadableRow) -> str:
    return f"{'unreadable':<20}  {_unreadable(row)}"


def _unreadable(row: UnreadableRow) -> str:
    return f"{row.key}: {row.why}"


def _rows(account: Account, now: int) -> dict[str, str]:
    """Return what is shown of an account, under its title."""
    counts = account.counts
    shards = f", and {counted(account.unread_shards, 'shard')} to read on"
    under_way = {
        "Still to do": counted(counts.targeted - counts.ended, "connection")
        + (shards if account.unread_shards else "")
    }
    return {
        "Broadcast": account.id,
        "State": account.state,
        "Channel": f"{account.channel}, number {account.seq}",
        "Opened": shown_time(account.opened_ms),
        **({"Settled": shown_time(account.settled_ms)} if account.is_settled else {}),
        **({"Expires": shown_time(account.expires_ms)} if account.expires_ms else {}),
        "Duration": f"{account.seconds(now):,.3f} s",
        "Ended per second": f"{account.ended_per_second(now):,.0f}",
        "Targeted": f"{counts.targeted:,}",
        "Delivered": f"{counts.delivered:,}",
        "Gone": f"{counts.gone:,}",
        "Failed": f"{counts.failed:,}",
        "Expired": f"{counts.expired:,}",
        **({} if account.is_settled else under_way),
        "Throttled (429)": counted(counts.throttled, "time"),
        "Slices": f"{account.slices:,}, {account.open_slices:,} of them open",
        **({"Delayed": _delayed(account.delayed)} if account.delayed else {}),
        **({"Given up": _given_up(account.given_up)} if account.given_up else {}),
        **_lines("Unreadable", map(_unreadable, account.unreadable)),
        **_lines("Contradiction", account.contradictions),
    }


def _lines(title: str, values: Iterable[str]) -> dict[str, str]:
    """Return lines of a table; titles must differ, so the second and later ones have a number."""
    return {
        title if number == 1 else f"{title} {number}": value
        for number, value in enumerate(values, start=1)
    }


def _delayed(delayed: Delayed) -> str:
    since, until = shown_time(delayed.since_ms), shown_time(delayed.until_ms)
    return (
        f"{counted(delayed.slices, 'slice')}, because of an outage since {since}; the next one is "
        f"tried at {until}"
    )


def _given_up(given_up: Sequence[GivenUp]) -> str:
    """Return how many slices were given up for each reason, and what to do."""
    reasons = Counter(one.reason for one in given_up)
    shown = "; ".join(f"{counted(times, 'slice')}: {reason}" for reason, times in reasons.items())
    return f"{shown}. Repair the cause, then type `crier redrive`"
