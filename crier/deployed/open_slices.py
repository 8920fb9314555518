"""The slices of a broadcast: what they add to its account, and which of them do not go on."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from broadcasting.backlog import parse_backlog
from broadcasting.ledger_items import BACKLOG
from broadcasting.receipt import Receipt
from crier.deployed.row_values import (
    Item,
    UnreadableRow,
    counts_of,
    number,
    optional,
    read_row,
    value,
)

SLICE = (
    *("id", "counts", BACKLOG, "is_closed", "owner", "leased_until_ms"),
    *("outage_since_ms", "outage_rounds", "given_up"),
)
"""What is read of a slice; rows of an earlier release know nothing of outages."""


@dataclass(frozen=True, slots=True)
class Delayed:
    """Slices that are delayed because of an outage: how many, and when the next one goes on.

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
class Slice:
    """One slice, as its row has it. `pending` are connections that were met and have not ended."""

    id: str
    counts: Receipt
    unread_shards: int
    pending: int
    is_closed: bool
    owner: str
    leased_until_ms: int
    outage_since_ms: int
    outage_rounds: int
    given_up: str

    @property
    def is_delayed(self) -> bool:
        """Whether it is delayed because of an outage."""
        return self.outage_rounds > 0 and not self.owner and not self.given_up


@dataclass(frozen=True, slots=True)
class Slices:
    """The slices of a broadcast, and the rows of slices that cannot be read."""

    open: tuple[Slice, ...] = ()
    closed: tuple[Slice, ...] = ()
    unreadable: tuple[UnreadableRow, ...] = ()

    @property
    def counts(self) -> Receipt:
        """The sums of the open ones; those of closed ones are in the summary."""
        return sum((one.counts for one in self.open), Receipt())

    @property
    def unread_shards(self) -> int:
        """How many shards are not read to their end."""
        return sum(one.unread_shards for one in self.open)

    @property
    def delayed(self) -> Delayed | None:
        """Those that are delayed because of an outage, None when there are none."""
        delayed = [one for one in self.open if one.is_delayed]
        if not delayed:
            return None
        since_ms = min(one.outage_since_ms for one in delayed)
        return Delayed(len(delayed), since_ms, min(one.leased_until_ms for one in delayed))

    @property
    def given_up(self) -> tuple[GivenUp, ...]:
        """Those whose messages are in the dead-letter queue."""
        return tuple(GivenUp(one.id, one.given_up) for one in self.open if one.given_up)


def slices_of(items: Iterable[Item]) -> Slices:
    """Read the slices of a broadcast."""
    rows = [read_row(item, _slice_of) for item in items]
    slices = [one for one in rows if isinstance(one, Slice)]
    return Slices(
        open=tuple(one for one in slices if not one.is_closed),
        closed=tuple(one for one in slices if one.is_closed),
        unreadable=tuple(one for one in rows if isinstance(one, UnreadableRow)),
    )


def delay_as_json(delayed: Delayed | None) -> dict[str, Any] | None:
    """Return what a script is told of slices that are delayed."""
    if delayed is None:
        return None
    return {"slices": delayed.slices, "since_ms": delayed.since_ms, "until_ms": delayed.until_ms}


def _slice_of(item: Item) -> Slice:
    backlog = parse_backlog(value(item, BACKLOG, "B"))
    return Slice(
        id=str(value(item, "id", "S")),
        counts=counts_of(item),
        unread_shards=len(backlog.shards),
        pending=len(backlog.connections),
        is_closed=bool(number(item, "is_closed")),
        owner=str(value(item, "owner", "S")),
        leased_until_ms=number(item, "leased_until_ms"),
        outage_since_ms=number(item, "outage_since_ms", default="0"),
        outage_rounds=number(item, "outage_rounds", default="0"),
        given_up=str(optional(item, "given_up", "S", "")),
    )
