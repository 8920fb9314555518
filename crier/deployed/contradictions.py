"""What cannot be right in the rows of a broadcast: the promises say that it never happens."""

from collections.abc import Iterator
from dataclasses import asdict, replace

from broadcasting.receipt import Receipt
from crier.deployed.account import Account
from crier.deployed.addressed import Addressed
from crier.deployed.open_slices import Slice, Slices
from crier.wording import counted


def examined(account: Account, slices: Slices | None = None) -> Account:
    """Return an account with what contradicts itself in its summary, and in its slices' rows.

    Its counts are those of the summary alone. `slices` have to be those of the summary's version.
    """
    found = [*_in_summary(account), *(_in_slices(account, slices) if slices else ())]
    return replace(account, contradictions=tuple(found))


def addressed_to(account: Account, found: Addressed) -> Account:
    """Return an account with its audience, as the row of its frame has it, and what contradicts."""
    counts, wrong = account.counts, []
    if found.listed and counts.targeted + counts.excluded > found.listed:
        met = f"{counts.targeted:,} targeted + {counts.excluded:,} excluded"
        wrong.append(f"it has {met}, and is for {counted(found.listed, 'connection')}")
    if counts.excluded > (found.excluded or 0):
        wrong.append(f"it has {counts.excluded:,} excluded, and excludes {found.excluded:,}")
    return replace(account, addressed=found, contradictions=(*account.contradictions, *wrong))


def _in_summary(account: Account) -> Iterator[str]:
    counts = account.counts
    numbers = asdict(counts) | {"open slices": account.open_slices, "slices": account.slices}
    for name, value in numbers.items():
        if value < 0:
            yield f"{name} is {value}, less than 0"
    if account.status != account.state:
        yield f"its status is {account.status}, its time of settling says {account.state}"
    if counts.targeted != counts.ended:
        whose = "it has" if account.is_settled else "its closed slices have"
        yield f"{whose} {_sums(counts)}"
    if account.is_settled and account.open_slices > 0:
        yield f"it is settled, and has {counted(account.open_slices, 'open slice')}"
    if account.is_stuck:
        yield "it is not settled, and has no open slice: nothing will settle it"
    if account.open_slices > account.slices:
        yield f"it has {counted(account.open_slices, 'open slice')} of {account.slices:,} in all"


def _in_slices(account: Account, slices: Slices) -> Iterator[str]:
    for one in (*slices.open, *slices.closed):
        yield from _in_slice(one)
    fewest, most = len(slices.open), len(slices.open) + len(slices.unreadable)
    if account.is_settled and slices.open:
        ids = ", ".join(one.id for one in slices.open)
        yield f"it is settled, and the rows of these slices are open: {ids}"
    elif not account.is_settled and not fewest <= max(0, account.open_slices) <= most:
        yield (
            f"its summary has {counted(account.open_slices, 'open slice')}, the ledger has rows "
            f"of {fewest:,}"
        )
    closed = sum((one.counts for one in slices.closed), Receipt())
    are_all_there = len(slices.closed) == account.slices - account.open_slices
    if are_all_there and not slices.unreadable and closed != account.counts:
        yield f"its closed slices' rows have {_sums(closed)}, its summary {_sums(account.counts)}"


def _in_slice(one: Slice) -> Iterator[str]:
    pending = 0 if one.is_closed else one.pending
    if one.counts.targeted != one.counts.ended + pending:
        to_do = counted(pending, "connection")
        yield f"slice {one.id} has {_sums(one.counts)}, and {to_do} to do"
    elif min(asdict(one.counts).values()) < 0:
        yield f"slice {one.id} has numbers less than 0: {_sums(one.counts)}"


def _sums(counts: Receipt) -> str:
    return (
        f"{counts.targeted:,} targeted, and {counts.delivered:,} delivered + {counts.gone:,} gone "
        f"+ {counts.failed:,} failed + {counts.expired:,} expired = {counts.ended:,}"
    )
