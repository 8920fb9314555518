"""How accounts of broadcasts are shown: data on stdout, progress on stderr."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from rich.table import Table

from crier import terminal
from crier.account import Account, FailedConnection
from crier.account_slices import GivenUp, Resting

_TITLES = ("opened", "state", "targeted", "delivered", "gone", "failed", "expired", "seconds", "id")
_LINE = "{:<20}  {:<7} {:>9} {:>9} {:>8} {:>7} {:>7} {:>8}  {}"


def now_ms() -> int:
    """Return the time in epoch milliseconds."""
    return time.time_ns() // 1_000_000


@contextmanager
def settling() -> Iterator[Callable[[Account], None]]:
    """Show a progress bar as long as the block lasts: call what is yielded with each account."""
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


def show_account(account: Account, failed: Iterable[FailedConnection] | None) -> None:
    """Show one account, and who failed where that was asked for."""
    table = Table(show_header=False)
    table.add_column()
    table.add_column(overflow="fold")
    for name, value in _rows(account, now_ms()).items():
        table.add_row(name, terminal.plain(value))
    terminal.out.print(table)
    if failed is not None:
        show_failed(failed)


def show_failed(failed: Iterable[FailedConnection]) -> None:
    """Show who failed and why, a line each."""
    for one in failed:
        terminal.out.print(terminal.plain(f"{one.id}  {one.reason}"), soft_wrap=True)


def show_accounts(accounts: Sequence[Account]) -> None:
    """Show the accounts of several broadcasts, a line each; the ids, which may be long, last."""
    terminal.out.print(_LINE.format(*_TITLES), style="bold", soft_wrap=True, highlight=False)
    now = now_ms()
    for one in accounts:
        counts = one.counts
        sums = (counts.targeted, counts.delivered, counts.gone, counts.failed, counts.expired)
        seconds = f"{one.seconds(now):.1f}"
        line = _LINE.format(when(one.opened_ms), one.state, *sums, seconds, one.id)
        terminal.out.print(terminal.plain(line), soft_wrap=True)


def show_end(account: Account) -> None:
    """Say on stderr how a broadcast ended."""
    counts = account.counts
    terminal.note(
        f"{counts.delivered:,} delivered, {counts.gone:,} gone, {counts.failed:,} failed, "
        f"{counts.expired:,} expired, in {account.seconds(now_ms()):,.1f} s"
    )


def when(epoch_ms: int) -> str:
    """Return a time as people read it, in UTC."""
    return f"{datetime.fromtimestamp(epoch_ms / 1000, UTC):%Y-%m-%d %H:%M:%S}Z"


def _rows(account: Account, now: int) -> dict[str, str]:
    """Return what is shown of an account, under its title."""
    counts = account.counts
    under_way = {
        "Still to do": f"{counts.targeted - counts.ended:,} connections"
        + (f", and {account.unread_shards} shards to read on" if account.unread_shards else "")
    }
    return {
        "Broadcast": account.id,
        "State": account.state,
        "Channel": f"{account.channel}, number {account.seq}",
        "Opened": when(account.opened_ms),
        **({"Settled": when(account.settled_ms)} if account.is_settled else {}),
        **({"Expires": when(account.expires_ms)} if account.expires_ms else {}),
        "Duration": f"{account.seconds(now):,.3f} s",
        "Ended per second": f"{account.ended_per_second(now):,.0f}",
        "Targeted": f"{counts.targeted:,}",
        "Delivered": f"{counts.delivered:,}",
        "Gone": f"{counts.gone:,}",
        "Failed": f"{counts.failed:,}",
        "Expired": f"{counts.expired:,}",
        **({} if account.is_settled else under_way),
        "Heard 429": f"{counts.throttled:,} times",
        "Slices": f"{account.slices:,}, {account.open_slices:,} of them open",
        **({"Resting": _resting(account.resting)} if account.resting else {}),
        **({"Given up": _given_up(account.given_up)} if account.given_up else {}),
    }


def _resting(resting: Resting) -> str:
    return (
        f"{_slices(resting.slices)}, because of an outage since {when(resting.since_ms)}; the "
        f"next one is tried at {when(resting.until_ms)}"
    )


def _given_up(given_up: Sequence[GivenUp]) -> str:
    """Return how many slices were given up for each reason, and what to do."""
    reasons = Counter(one.reason for one in given_up)
    shown = "; ".join(f"{_slices(times)}: {reason}" for reason, times in reasons.items())
    return f"{shown}. Repair the cause, then `python -m crier redrive`"


def _slices(number: int) -> str:
    return f"{number:,} slice" + ("" if number == 1 else "s")
