"""Changes that end in a lease: a broadcast is opened, or one of its slices is taken up."""

from typing import NamedTuple

from broadcasting.clock import Clock
from broadcasting.errors import RejectedError
from broadcasting.ledger import LedgerError, Refusal, lease
from broadcasting.ledger_opening import (
    NewBroadcast,
    numbers_after,
    open_broadcast,
    require_same,
)
from broadcasting.ledger_rows import (
    ROOT,
    ChannelCounter,
    Lease,
    SliceRow,
    Summary,
    next_version,
)
from storage.ledger_loop import Basis, Made
from storage.row_reader import RowReader


class Owner(NamedTuple):
    """A worker that takes slices up, and owns them until `until_ms`. `id` is new for each lease."""

    id: str
    until_ms: int
    reader: RowReader
    clock: Clock

    def open(self, new: NewBroadcast, met: Basis) -> Made[Lease | Refusal]:
        """Open a broadcast, or take its first slice up when it is open already.

        Its frame is made for a new broadcast only. Raises RejectedError when the id is another's.
        """
        summary = self.reader.find_summary(new.id)
        if summary is None:
            return self._open(new, met)
        require_same(summary, new)
        return self.take_root(summary)

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
            return Made(Lease(summary, slice_row, frame))
        return Made(Lease(summary, next_version(leased), frame), (leased,))

    def _open(self, new: NewBroadcast, met: Basis) -> Made[Lease | Refusal]:
        counter = self.reader.counter(new.channel)
        is_blocked = met == (counter,)  # no other worker was faster: another row is in the way
        seq = self._free_number(counter) if is_blocked else next(numbers_after(counter))
        opened = open_broadcast(new, counter, seq=seq, owner=self.id, until_ms=self.until_ms)
        if is_blocked:
            root = self.reader.over_leftover(opened.slice_row)
            opened = opened._replace(slice_row=root)
        held = Lease(
            next_version(opened.summary), next_version(opened.slice_row), opened.frame.frame
        )
        return Made(held, opened, (counter,))

    def _free_number(self, counter: ChannelCounter) -> int:
        """Return the first number that no broadcast has, in case the counter's row was lost.

        An open broadcast posts the frame of its number: nothing is ever written over that.
        """
        numbers = numbers_after(counter)
        return next(one for one in numbers if not self.reader.is_taken(counter.channel, one))
