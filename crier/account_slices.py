"""The open slices of a broadcast: what they add to its account, and which of them do not go on."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from broadcasting.counts import Counts
from broadcasting.work import parse_work
from crier.account_rows import Item, counts_of, number, optional, readable, value

SLICE = (
    *("id", "counts", "work", "is_closed", "owner", "leased_until_ms"),
    *("outage_since_ms", "outage_rounds", "given_up"),
)
"""What is read of a slice; rows of an earlier release lack the last three."""


@dataclass(frozen=True, slots=True)
class Resting:
    """Slices that rest because of an outage: how many, and when the next one goes on.

    `since_ms` is when the first round of the outage began. Times are in epoch milliseconds.
    """

    slices: int
    since_ms: int
    until_ms: int


@dataclass(frozen=True, slots=True)
class GivenUp:
    """A slice whose message is in the dead-letter queue, and why."""

    slice_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class OpenSlices:
    """The sums of slices that are not closed, and what holds some of them up."""

    counts: Counts
    unread_shards: int = 0
    resting: Resting | None = None
    given_up: tuple[GivenUp, ...] = ()


@dataclass(frozen=True, slots=True)
class _Slice:
    id: str
    counts: Counts
    unread_shards: int
    owner: str
    leased_until_ms: int
    outage_since_ms: int
    outage_rounds: int
    given_up: str

    @property
    def is_resting(self) -> bool:
        return self.outage_rounds > 0 and not self.owner and not self.given_up


def open_slices_of(items: Iterable[Item]) -> OpenSlices:
    """Read the slices of a broadcast; what closed ones have counted is in its summary.

    Raises CrierError when one cannot be read.
    """
    with readable("a slice"):
        slices = [_slice_of(item) for item in items if not number(item, "is_closed")]
    return OpenSlices(
        counts=sum((one.counts for one in slices), Counts()),
        unread_shards=sum(one.unread_shards for one in slices),
        resting=_resting([one for one in slices if one.is_resting]),
        given_up=tuple(GivenUp(one.id, one.given_up) for one in slices if one.given_up),
    )


def _resting(slices: list[_Slice]) -> Resting | None:
    if not slices:
        return None
    since_ms = min(one.outage_since_ms for one in slices)
    return Resting(len(slices), since_ms, min(one.leased_until_ms for one in slices))


def _slice_of(item: Item) -> _Slice:
    return _Slice(
        id=str(value(item, "id", "S")),
        counts=counts_of(item),
        unread_shards=len(parse_work(value(item, "work", "B")).shards),
        owner=str(value(item, "owner", "S")),
        leased_until_ms=number(item, "leased_until_ms"),
        outage_since_ms=number(item, "outage_since_ms", default="0"),
        outage_rounds=number(item, "outage_rounds", default="0"),
        given_up=str(optional(item, "given_up", "S", "")),
    )


def resting_as_json(resting: Resting | None) -> dict[str, Any] | None:
    """Return what a script is told of slices that rest."""
    if resting is None:
        return None
    return {"slices": resting.slices, "since_ms": resting.since_ms, "until_ms": resting.until_ms}
