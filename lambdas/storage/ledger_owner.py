"""Changes that end in a lease: one of the slices of a broadcast is taken up."""

from typing import NamedTuple

from broadcasting.clock import Clock
from broadcasting.errors import RejectedError
from broadcasting.ledger import LedgerError, Refusal, lease
from broadcasting.ledger_rows import ROOT, FrameRow, Lease, SliceRow, Summary, next_version
from storage.ledger_loop import Made
from storage.row_reader import RowReader


class Owner(NamedTuple):
    """A worker that takes slices up, and owns them until `until_ms`. `id` is new for each lease."""

    id: str
    until_ms: int
    reader: RowReader
    clock: Clock

    def take_root(self, summary: Summary) -> Made[Lease | Refusal]:
        """Take the first slice of a broadcast up, unless the broadcast has settled."""
        if summary.is_settled:
            return Made(Refusal.CLOSED)
        return self.take(summary, self.reader.slice_row(summary.id, ROOT))

    def take(
        self, summary: Summary, slice_row: SliceRow, *, anew: bool = False
    ) -> Made[Lease | Refusal]:
        """Take a slice up, if it is free; nothing is written for one that this owner has already.

        Raises RejectedError when the slice can never be delivered.
        """
        try:
            leased = lease(
                slice_row, self.id, now_ms=self.clock.epoch_ms(), until_ms=self.until_ms, anew=anew
            )
        except LedgerError as error:
            raise RejectedError(f"its row is wrong: {error}") from error
        if isinstance(leased, Refusal):
            return Made(leased)
        frame = self.reader.frame_of(summary, slice_row)
        if leased == slice_row:
            return Made(leased_row(summary, slice_row, frame))
        return Made(leased_row(summary, next_version(leased), frame), (leased,))


def leased_row(summary: Summary, slice_row: SliceRow, frame: FrameRow) -> Lease:
    """Return a lease with what its slice posts."""
    return Lease(summary, slice_row, frame.frame, frame.exclude, frame.connections)
