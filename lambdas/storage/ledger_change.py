"""A change of a slice that we hold, made anew from what others have changed meanwhile."""

from collections.abc import Callable
from typing import NamedTuple

from broadcasting.ledger import LeaseLostError
from broadcasting.ledger_failed import with_failed
from broadcasting.ledger_rows import (
    FailedConnection,
    FailedRow,
    Lease,
    SliceRow,
    Summary,
    next_version,
)
from storage.ledger_loop import Basis, Made
from storage.row_reader import RowReader


class Changed(NamedTuple):
    """What a transition makes of a lease: the rows to write. `summary` is None when it stays."""

    slice_row: SliceRow
    summary: Summary | None = None
    children: tuple[SliceRow, ...] = ()


Transition = Callable[[Summary, SliceRow], Changed]


class HeldChange:
    """A transition of a slice that is leased, and the connections that have failed in it.

    It is made of the lease at first, and after a conflict of the rows as they are then.
    """

    def __init__(
        self,
        reader: RowReader,
        held: Lease,
        failed: tuple[FailedConnection, ...],
        transition: Transition,
    ) -> None:
        self._reader = reader
        self._held = held
        self._failed = failed
        self._transition = transition
        self._attempted: list[SliceRow] = []
        """The slice as each attempt would have it: an attempt may be written, its answer lost."""

    def make(self, met: Basis) -> Made[Lease]:
        """Make the change. Raises LeaseLostError when the slice is another worker's."""
        if met == self._basis:
            written = self._read_again()
            if written is not None:
                return Made(written)
        changed = self._transition(self._held.summary, self._held.slice_row)
        slice_row, failed_rows = with_failed(changed.slice_row, self._failed)
        self._attempted.append(next_version(slice_row))
        beside: tuple[SliceRow | FailedRow, ...] = (*changed.children, *failed_rows)
        if met == self._basis:  # neither summary nor slice has changed: leftovers are in the way
            beside = tuple(map(self._reader.over_leftover, beside))
        summaries = () if changed.summary is None else (changed.summary,)
        summary, *_ = (*map(next_version, summaries), self._held.summary)
        held = self._held._replace(summary=summary, slice_row=next_version(slice_row))
        return Made(held, (*summaries, slice_row, *beside), self._basis)

    @property
    def _basis(self) -> Basis:
        return self._held.summary, self._held.slice_row

    def _read_again(self) -> Lease | None:
        """Take what has changed; return the lease when an attempt has been written all the same.

        That is so when its answer was lost: only the owner of a lease writes the next version, and
        another worker's first write is a lease of its own.
        """
        held = self._held.slice_row
        summary, found = self._reader.both(held.broadcast_id, held.id)
        is_closed_by_us = found.is_closed and found.version == held.version + 1
        if found in self._attempted or is_closed_by_us:
            return self._held._replace(summary=summary, slice_row=found)
        if found.version != held.version:
            if not _is_own_checkpoint(held, found):
                raise LeaseLostError(f"slice {found.id} of {found.broadcast_id}")
            self._failed = self._failed[found.counts.failed - held.counts.failed :]
            held = found._replace(unannounced=held.unannounced)
        self._held = self._held._replace(summary=summary, slice_row=held)
        return None


def _is_own_checkpoint(held: SliceRow, found: SliceRow) -> bool:
    """Whether an earlier checkpoint of ours was written, though its answer said otherwise.

    A split is none: the backlog of its parts is not ours any more.
    """
    is_ours = held.owner != "" and found.owner == held.owner
    return is_ours and set(found.unannounced) <= set(held.unannounced)
