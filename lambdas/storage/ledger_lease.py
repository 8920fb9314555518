"""Leases of slices: reads the rows of a broadcast, and takes a slice up if it is free."""

from collections.abc import Callable
from enum import Enum, auto
from typing import NamedTuple, TypeVar

from broadcasting.clock import Clock
from broadcasting.errors import GaveUpError, RejectedError
from broadcasting.ledger import ROOT, LedgerError, SliceRow, Summary, lease
from broadcasting.ledger_items import (
    LIFE_SECONDS,
    Item,
    frame_key,
    frame_row_of,
    slice_key,
    slice_of,
    summary_key,
    summary_of,
)
from storage.errors import ConflictError
from storage.ledger_rows import next_version
from storage.ledger_table import LedgerTable

MAX_HOPS = 1_000
"""How often a slice may be taken up without any connection ending in it."""

_LIFE_DAYS = LIFE_SECONDS // (24 * 3600)
_T = TypeVar("_T")


class Lease(NamedTuple):
    """A slice that is ours until it is released or closed, or the lease has run out.

    `frame` is empty when nothing is left to do for the slice.
    """

    summary: Summary
    slice_row: SliceRow
    frame: str


class Refusal(Enum):
    """Why a slice is not leased."""

    CLOSED = auto()
    LEASED = auto()


class Leasing:
    """Reads what a lease is made of, and writes it. Each method may raise ReadError."""

    def __init__(self, table: LedgerTable, clock: Clock) -> None:
        self._table = table
        self._clock = clock

    def find(self, broadcast_id: str) -> Summary | None:
        """Return a broadcast's summary as it is now, None when the ledger does not know it."""
        item = self._table.get(summary_key(broadcast_id))
        return None if item is None else _readable(summary_of, item)

    def find_slice(self, broadcast_id: str, slice_id: str) -> SliceRow:
        """Return a slice as it is now. Raises RejectedError when the ledger does not know it."""
        item = self._table.get(slice_key(broadcast_id, slice_id))
        if item is None:
            raise _unknown(broadcast_id, slice_id)
        return _readable(slice_of, item)

    def read(self, broadcast_id: str, slice_id: str) -> tuple[Summary, SliceRow]:
        """Return a summary and one of its slices. Raises RejectedError for what is unknown."""
        summary = self.find(broadcast_id)
        if summary is None:
            raise _unknown(broadcast_id, slice_id)
        return summary, self.find_slice(broadcast_id, slice_id)

    def take_root(self, summary: Summary, *, owner: str, until_ms: int) -> Lease | Refusal:
        """Lease the first slice of a broadcast as `take` does, unless the broadcast has settled."""
        if summary.is_settled:
            return Refusal.CLOSED
        slice_row = self.find_slice(summary.id, ROOT)
        return self.take(summary, slice_row, owner=owner, until_ms=until_ms, anew=False)

    def take(
        self, summary: Summary, slice_row: SliceRow, *, owner: str, until_ms: int, anew: bool
    ) -> Lease | Refusal:
        """Lease a slice for an owner, if it is free; one that the owner has already stays its own.

        Raises RejectedError when the slice can never be carried, and WriteError.
        """
        if slice_row.owner == owner:
            return Lease(summary, slice_row, self.frame_of(summary, slice_row))
        if slice_row.is_closed:
            return Refusal.CLOSED
        if slice_row.hops >= MAX_HOPS and not anew:
            raise GaveUpError(
                f"taken up {slice_row.hops} times without coming to an end; repair the cause, then "
                "`crier redrive` begins the count anew"
            )
        if not slice_row.is_free(self._clock.epoch_ms()):
            return Refusal.LEASED
        frame = self.frame_of(summary, slice_row)
        leased = self.leased(slice_row, owner=owner, until_ms=until_ms, anew=anew)
        try:
            self._table.write(leased)
        except ConflictError:
            return Refusal.LEASED
        return Lease(summary, next_version(leased), frame)

    def leased(
        self, slice_row: SliceRow, *, owner: str, until_ms: int, anew: bool = False
    ) -> SliceRow:
        """Return a free slice with its lease. Raises RejectedError when its row is wrong."""
        try:
            return lease(
                slice_row, owner, now_ms=self._clock.epoch_ms(), until_ms=until_ms, anew=anew
            )
        except LedgerError as error:
            raise RejectedError(f"its row is wrong: {error}") from error

    def frame_of(self, summary: Summary, slice_row: SliceRow) -> str:
        """Return what a slice posts, and nothing when it has nothing left to do.

        Raises RejectedError when the ledger does not have it.
        """
        if slice_row.work.is_empty:
            return ""
        if summary.frame:  # an earlier release has opened it
            return summary.frame
        item = self._table.get(frame_key(summary.channel, summary.seq))
        if item is None:
            raise RejectedError(
                f"the ledger has no frame {summary.seq} of channel {summary.channel}: its "
                f"broadcast was opened more than {_LIFE_DAYS} days ago, or the row was deleted"
            )
        return _readable(frame_row_of, item).frame


def _readable(read: Callable[[Item], _T], item: Item) -> _T:
    try:
        return read(item)
    except (KeyError, TypeError, ValueError) as error:
        raise RejectedError(f"its row in the ledger cannot be read: {error!r}") from error


def _unknown(broadcast_id: str, slice_id: str) -> RejectedError:
    return RejectedError(
        f"the ledger knows no slice {slice_id} of broadcast {broadcast_id}: it is forged, or its "
        f"broadcast was opened more than {_LIFE_DAYS} days ago"
    )
