"""The table of one account: what is shown of it, under its titles."""

from collections import Counter
from collections.abc import Iterable, Sequence

from crier.commands.times import shown_time
from crier.deployed.account import Account
from crier.deployed.open_slices import Delayed, GivenUp
from crier.deployed.row_values import UnreadableRow
from crier.wording import counted


def account_rows(account: Account, now: int) -> dict[str, str]:
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
        "Audience": account.addressed.words,
        "Channel": f"{account.addressed.channel}, number {account.seq}",
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
        "Excluded": f"{counts.excluded:,}",
        **({} if account.is_settled else under_way),
        "Throttled (429)": counted(counts.throttled, "time"),
        "Slices": f"{account.slices:,}, {account.open_slices:,} of them open",
        **({"Delayed": _delayed(account.delayed)} if account.delayed else {}),
        **({"Given up": _given_up(account.given_up)} if account.given_up else {}),
        **_lines("Unreadable", map(unreadable_words, account.unreadable)),
        **_lines("Contradiction", account.contradictions),
    }


def unreadable_words(row: UnreadableRow) -> str:
    """Return which row cannot be read, and what is wrong with it."""
    return f"{row.key}: {row.why}"


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
