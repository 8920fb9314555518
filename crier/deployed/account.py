"""One broadcast's account: a frozen value, read from the rows of the ledger."""

import json
from dataclasses import asdict, dataclass, replace
from typing import Any

from broadcasting.items import PARTITION_KEY
from broadcasting.ledger_items import STATUS, partition_of_broadcast
from broadcasting.ledger_rows import FailedConnection
from broadcasting.receipt import Receipt
from crier.deployed.addressed import Addressed
from crier.deployed.open_slices import Delayed, GivenUp, Slices, delay_as_json
from crier.deployed.row_values import (
    Item,
    UnreadableRow,
    count,
    counts_of,
    number,
    read_row,
    text,
)


@dataclass(frozen=True, slots=True)
class Account:
    """One broadcast: how far it is. Times are in epoch milliseconds, 0 for never.

    `seq` is its number in the stream of its audience, which is `addressed`. `counts` are the sums
    so far: connections that were met and have not ended are in `targeted` only, and those that it
    excludes in `excluded` only. `unread_shards` may hold more. `version` tells whether slices were
    split or closed. Slices that are delayed because of an outage, or were given up, are those of
    an open broadcast.
    `unreadable` rows are not in the sums; `contradictions` say what cannot be right in the rows.
    """

    id: str
    digest: str
    addressed: Addressed
    seq: int
    opened_ms: int
    expires_ms: int
    settled_ms: int
    status: str
    counts: Receipt
    open_slices: int
    slices: int
    version: int
    unread_shards: int = 0
    delayed: Delayed | None = None
    given_up: tuple[GivenUp, ...] = ()
    unreadable: tuple[UnreadableRow, ...] = ()
    contradictions: tuple[str, ...] = ()

    @property
    def is_settled(self) -> bool:
        """Whether every connection has ended."""
        return self.settled_ms > 0

    @property
    def is_stuck(self) -> bool:
        """Whether nothing can settle it any more: no slice is open, and it is not settled."""
        return not self.is_settled and self.open_slices <= 0

    @property
    def state(self) -> str:
        """Open or settled."""
        return "settled" if self.is_settled else "open"

    def with_open(self, slices: Slices) -> "Account":
        """Return the account with what its open slices add."""
        return replace(
            self,
            counts=self.counts + slices.counts,
            unread_shards=slices.unread_shards,
            delayed=slices.delayed,
            given_up=slices.given_up,
            unreadable=slices.unreadable,
        )

    def seconds(self, now_ms: int) -> float:
        """Return how long it took, or has been under way."""
        return max(0, (self.settled_ms or now_ms) - self.opened_ms) / 1000

    def ended_per_second(self, now_ms: int) -> float:
        """Return how many connections ended per second."""
        return self.counts.ended / max(self.seconds(now_ms), 0.001)

    def as_json(self, now_ms: int) -> dict[str, Any]:
        """Return the account, with its rate and duration."""
        return {
            "id": self.id,
            "state": self.state,
            "audience": self.addressed.as_json(),
            "channel": self.addressed.channel,
            "stream": self.addressed.stream,
            "seq": self.seq,
            "opened_ms": self.opened_ms,
            "settled_ms": self.settled_ms or None,
            "expires_ms": self.expires_ms or None,
            "seconds": self.seconds(now_ms),
            "ended_per_second": round(self.ended_per_second(now_ms), 1),
            "ended": self.counts.ended,
            "counts": asdict(self.counts),
            "slices": self.slices,
            "open_slices": self.open_slices,
            "unread_shards": self.unread_shards,
            "delayed": delay_as_json(self.delayed),
            "given_up": [{"slice": one.slice_id, "reason": one.reason} for one in self.given_up],
            "unreadable": [one.as_json() for one in self.unreadable],
            "contradictions": list(self.contradictions),
        }


def account_of(item: Item) -> Account | UnreadableRow:
    """Read a summary."""
    return read_row(item, _account_of)


def failed_of(item: Item) -> list[FailedConnection] | UnreadableRow:
    """Read a row of connections that have failed."""
    return read_row(item, _failed_of)


def _account_of(item: Item) -> Account:
    broadcast_id, status = text(item, "id"), text(item, STATUS)
    if text(item, PARTITION_KEY) != partition_of_broadcast(broadcast_id):
        raise ValueError(f"its id is {broadcast_id}, expected that of its key")
    if status not in ("open", "settled"):
        raise ValueError(f"its status is {status}, expected open or settled")
    return Account(
        id=broadcast_id,
        digest=text(item, "digest"),
        addressed=Addressed(text(item, "channel")),
        seq=number(item, "seq"),
        opened_ms=number(item, "opened_ms"),
        expires_ms=number(item, "expires_ms"),
        settled_ms=number(item, "settled_ms"),
        status=status,
        counts=counts_of(item),
        open_slices=count(item, "open_slices"),
        slices=count(item, "slices"),
        version=number(item, "version"),
    )


def _failed_of(item: Item) -> list[FailedConnection]:
    found = [FailedConnection(*one) for one in json.loads(text(item, "failed"))]
    if not all(isinstance(one.id, str) and isinstance(one.reason, str) for one in found):
        raise ValueError("failed holds something else than pairs of a connection and a reason")
    return found
