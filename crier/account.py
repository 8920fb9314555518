"""One broadcast's account: a frozen value, read from the rows of the ledger."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, astuple, dataclass
from typing import Any

from broadcasting.audience import LATEST_MS
from broadcasting.counts import Counts
from broadcasting.work import parse_work
from crier.errors import CrierError

SUMMARY = (
    *("id", "digest", "channel", "seq", "opened_ms", "expires_ms", "settled_ms"),
    *("counts", "open_slices", "slices", "version"),
)
"""What is read of a summary: the frame, up to 128 KiB, is left out."""

SLICE = ("counts", "work", "is_closed")
"""What is read of a slice."""

Item = dict[str, Any]
"""A row as DynamoDB gives it."""


@dataclass(frozen=True, slots=True)
class Account:
    """One broadcast: how far it is. Times are in epoch milliseconds, 0 for never.

    `counts` are the sums so far: connections that were met and have not ended are in `targeted`
    only. `unread_shards` may hold more. `version` tells whether slices were split or closed.
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

    @property
    def is_settled(self) -> bool:
        """Whether every connection has ended."""
        return self.settled_ms > 0

    @property
    def state(self) -> str:
        """Open or settled."""
        return "settled" if self.is_settled else "open"

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
        }


@dataclass(frozen=True, slots=True)
class FailedConnection:
    """A connection that failed, and why."""

    id: str
    reason: str


@contextmanager
def _readable(name: str) -> Iterator[None]:
    """Turn what reading a row may raise into a CrierError."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CrierError(
            f"{name} in the ledger cannot be read ({error!r}): was it written by another version "
            "of Crier?"
        ) from error


def account_of(item: Item) -> Account:
    """Read a summary. Raises CrierError."""
    with _readable("a summary"):
        return _account_of(item)


def _account_of(item: Item) -> Account:
    return Account(
        id=text(item, "id"),
        digest=text(item, "digest"),
        channel=text(item, "channel"),
        seq=_number(item, "seq"),
        opened_ms=_number(item, "opened_ms"),
        expires_ms=_number(item, "expires_ms"),
        settled_ms=_number(item, "settled_ms"),
        counts=_counts(item),
        open_slices=_number(item, "open_slices"),
        slices=_number(item, "slices"),
        version=_number(item, "version"),
    )


def open_slice_of(item: Item) -> tuple[Counts, int]:
    """Return the sums of a slice and how many shards it has left; a closed one has none.

    What a closed slice has counted is in the summary.
    """
    with _readable("a slice"):
        if _number(item, "is_closed"):
            return Counts(), 0
        return _counts(item), len(parse_work(_value(item, "work", "B")).shards)


def failed_of(item: Item) -> list[FailedConnection]:
    """Read a row of connections that have failed."""
    with _readable("a row of failed connections"):
        return [FailedConnection(*one) for one in json.loads(text(item, "failed"))]


def text(item: Item, name: str) -> str:
    """Return a text of a row. Raises CrierError when it has none of that name."""
    return str(_value(item, name, "S"))


def _counts(item: Item) -> Counts:
    counts = Counts(**json.loads(text(item, "counts")))
    if not all(type(one) is int for one in astuple(counts)):
        raise ValueError(f"counts are {counts}, expected whole numbers")
    return counts


def _number(item: Item, name: str) -> int:
    number = int(_value(item, name, "N"))
    if not 0 <= number <= LATEST_MS:
        raise ValueError(f"{name} is {number}, expected 0 to {LATEST_MS}")
    return number


def _value(item: Item, name: str, kind: str) -> Any:
    try:
        return item[name][kind]
    except KeyError as error:
        raise CrierError(
            f"a row of the ledger has no {name}: was it written by another version of Crier?"
        ) from error
