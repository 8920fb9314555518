"""Opens a broadcast: takes its number, writes its rows together, and removes the number's mark.

A worker may die between any two of these. The mark then gives the next worker the same number, or
is closed by a void row once it is five minutes old: no number stays without a row.
"""

from contextlib import suppress

from broadcasting.errors import RejectedError
from broadcasting.ledger import Refusal
from broadcasting.ledger_opening import NewBroadcast, open_broadcast, require_same
from broadcasting.ledger_rows import Lease, Summary, next_version
from broadcasting.numbering import Number, mark_key
from storage.errors import StorageError
from storage.ledger_loop import Basis, Made
from storage.ledger_owner import Owner, leased_row
from storage.numbered_stream import NumberedStream
from storage.row_reader import RowReader


class Opening:
    """The opening of one broadcast by one worker."""

    def __init__(
        self,
        new: NewBroadcast,
        owner: Owner,
        reader: RowReader,
        stream: NumberedStream,
        *,
        replay_seconds: int,
        deadline: float,
    ) -> None:
        """Open `new`; after the deadline (monotonic seconds) no old numbers are closed."""
        self._new = new
        self._owner = owner
        self._reader = reader
        self._stream = stream
        self._replay_seconds = replay_seconds
        self._deadline = deadline
        self._key = mark_key(new.id)
        self._number: Number | None = None

    def make(self, met: Basis) -> Made[Lease | Refusal]:
        """Open the broadcast, or take its first slice up when it is open already.

        Its frame is made for a new broadcast only. Raises RejectedError when the id is another's,
        or the frame is too large.
        """
        summary = self._reader.find_summary(self._new.id)
        if summary is None:
            return self._open(is_blocked=bool(met))
        self._give_back_unless(summary)
        require_same(summary, self._new)
        return self._owner.take_root(summary)

    def finish(self, held: Lease | Refusal) -> None:
        """Remove the mark of the number, if this worker opened the broadcast or goes on with it.

        A mark that cannot be removed now is closed by a later opening or replay.
        """
        if isinstance(held, Lease):
            with suppress(StorageError):
                self._stream.counters.remove_mark(self._stream.name, self._key, held.summary.seq)

    def _open(self, *, is_blocked: bool) -> Made[Lease | Refusal]:
        number = self._take(is_blocked=is_blocked)
        new, owner = self._new, self._owner
        try:
            opened = open_broadcast(
                new,
                number,
                owner=owner.id,
                until_ms=owner.until_ms,
                replay_seconds=self._replay_seconds,
            )
            if is_blocked:
                root = self._reader.over_leftover(opened.slice_row)
                opened = opened._replace(slice_row=root)
        except RejectedError:
            self._give_back()
            raise
        held = leased_row(
            next_version(opened.summary), next_version(opened.slice_row), opened.frame
        )
        return Made(held, opened, (opened.entry,))

    def _take(self, *, is_blocked: bool) -> Number:
        """Return the number of the broadcast: the one that it has, unless another's row is there.

        The frame is looked at first: no number is taken for one that is too large by itself.
        """
        counters, stream, number = self._stream.counters, self._stream.name, self._number
        if number is None:
            self._new.frame_of(1)
            taken = counters.take(stream, self._key)
        elif is_blocked and self._reader.is_taken(stream, number.seq):
            taken = counters.take_another(stream, self._key, number.seq)
        else:
            return number
        self._number = taken.number
        self._stream.close_stale(taken.counter, ends_at=self._deadline)
        return taken.number

    def _give_back_unless(self, summary: Summary) -> None:
        """Close the number that was taken, if the broadcast has another, or another stream's."""
        if self._number is None:
            return
        if (self._stream.name, self._number.seq) != (summary.channel, summary.seq):
            self._give_back()

    def _give_back(self) -> None:
        if self._number is not None:
            self._stream.give_back(self._key, self._number)
            self._number = None
