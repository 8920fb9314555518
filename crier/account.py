"""One broadcast's account: a frozen value, read from the rows of the ledger."""

import json
from dataclasses import asdict, dataclass, replace
from typing import Any

from broadcasting.counts import Counts
from crier.account_rows import EXPIRY, Item, counts_of, number, readable, text
from crier.account_slices import GivenUp, OpenSlices, Resting, resting_as_json

SUMMARY = (
    *("id", "digest", "channel", "seq", "opened_ms", "expires_ms", "settled_ms"),
    *("counts", "open_slices", "slices", "version", EXPIRY),
)
"""What is read of a summary; the frame is in a row of its own, which is never read here."""


@dataclass(frozen=True, slots=True)
class Account:
    """One broadcast: how far it is. Times are in epoch milliseconds, 0 for never.

    `counts` are the sums so far: connections that were met and have not ended are in `targeted`
    only. `unread_shards` may hold more. `version` tells whether slices were split or closed.
    Slices that rest because of an outage, or were given up, are those of an open broadcast.
    """

    id: str
    digest: str
    channel: str
    seq: int
    opened_ms: int
    expires_ms: int
    settled_ms: int
    counts: Counts
    open_slices: int
    slices: int
    version: int
    unread_shards: int = 0
    resting: Resting | None = None
    given_up: tuple[GivenUp, ...] = ()

    @property
    def is_settled(self) -> bool:
        """Whether every connection has ended."""
        return self.settled_ms > 0

    @property
    def state(self) -> str:
        """Open or settled."""
        return "settled" if self.is_settled else "open"

    def with_open(self, slices: OpenSlices) -> "Account":
        """Return the account with what its open slices add."""
        return replace(
            self,
            counts=self.counts + slices.counts,
            unread_shards=slices.unread_shards,
            resting=slices.resting,
            given_up=slices.given_up,
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
            "channel": self.channel,
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
            "resting": resting_as_json(self.resting),
            "given_up": [{"slice": one.slice_id, "reason": one.reason} for one in self.given_up],
        }


@dataclass(frozen=True, slots=True)
class FailedConnection:
    """A connection that failed, and why."""

    id: str
    reason: str


def account_of(item: Item) -> Account:
    """Read a summary. Raises CrierError."""
    with readable("a summary"):
        return _account_of(item)


def _account_of(item: Item) -> Account:
    return Account(
        id=text(item, "id"),
        digest=text(item, "digest"),
        channel=text(item, "channel"),
        seq=number(item, "seq"),
        opened_ms=number(item, "opened_ms"),
        expires_ms=number(item, "expires_ms"),
        settled_ms=number(item, "settled_ms"),
        counts=counts_of(item),
        open_slices=number(item, "open_slices"),
        slices=number(item, "slices"),
        version=number(item, "version"),
    )


def failed_of(item: Item) -> list[FailedConnection]:
    """Read a row of connections that have failed."""
    with readable("a row of failed connections"):
        return [FailedConnection(*one) for one in json.loads(text(item, "failed"))]
