"""One change of a leased slice, made anew from what others have changed meanwhile."""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from broadcasting.ledger import LeaseLostError, SliceRow, Summary
from storage.errors import ConflictError
from storage.ledger_lease import Lease, Leasing
from storage.ledger_rows import Failed, next_version, over_leftover, with_failed
from storage.ledger_table import LedgerTable


class Made(NamedTuple):
    """What a transition makes of a lease: the rows to write. `summary` None when it stays."""

    slice_row: SliceRow
    summary: Summary | None = None
    children: tuple[SliceRow, ...] = ()


class Change:
    """A change that is attempted until it is written: `make` makes it of a lease."""

    def __init__(
        self,
        table: LedgerTable,
        leasing: Leasing,
        held: Lease,
        failed: Failed,
        make: Callable[[Lease], Made],
    ) -> None:
        self._table = table
        self._leasing = leasing
        self._held = held
        self._failed = failed
        self._make = make
        self._is_stale = False
        self._is_blocked = False
        """Whether an attempt met a conflict though neither summary nor slice had changed."""
        self._attempted: list[SliceRow] = []

    def attempt(self) -> Lease:
        """Write the change once; after a conflict it is made from what is read anew.

        Raises LeaseLostError when the slice is another's, ConflictError and WriteError.
        """
        written = self._read_again() if self._is_stale else None
        if written is not None:
            return written
        made = self._make(self._held)
        slice_row, rows = with_failed(made.slice_row, self._failed)
        self._attempted.append(next_version(slice_row))
        summaries = () if made.summary is None else (made.summary,)
        children = made.children
        if self._is_blocked:
            children = tuple(over_leftover(self._table, child) for child in children)
            rows = tuple(over_leftover(self._table, row) for row in rows)
        try:
            self._table.write(*summaries, slice_row, *children, *rows)
        except ConflictError:
            self._is_stale = True
            raise
        summary = self._held.summary if made.summary is None else next_version(made.summary)
        return Lease(summary, next_version(slice_row), self._held.frame)

    def _read_again(self) -> Lease | None:
        """Take what has changed; return the lease when an attempt has been written all the same.

        That is so when its answer was lost: only the owner of a lease writes the next version, and
        another worker's first write is a lease of its own.
        """
        held = self._held.slice_row
        summary, found = self._leasing.read(self._held.summary.id, held.id)
        is_closed_by_us = found.is_closed and found.version == held.version + 1
        if found in self._attempted or is_closed_by_us:
            return Lease(summary, found, self._held.frame)
        if found.version != held.version:
            if not _is_own_checkpoint(held, found):
                raise LeaseLostError(f"slice {found.id} of {found.broadcast_id}")
            self._failed = self._failed[found.counts.failed - held.counts.failed :]
            held = replace(found, unannounced=held.unannounced)
        self._is_blocked = (summary, held) == (self._held.summary, self._held.slice_row)
        self._held = Lease(summary, held, self._held.frame)
        self._is_stale = False
        return None


def _is_own_checkpoint(held: SliceRow, found: SliceRow) -> bool:
    """Whether an earlier checkpoint of ours was written, though its answer said otherwise.

    A split is none: the work of its parts is not ours any more.
    """
    is_ours = held.owner != "" and found.owner == held.owner
    return is_ours and set(found.unannounced) <= set(held.unannounced)
