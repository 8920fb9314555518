"""The messages that have slices taken up: of this slice, and of those that were split off."""

from collections.abc import Sequence

from broadcasting.backlog import Backlog
from broadcasting.clock import Clock
from broadcasting.retry import next_round_seconds
from storage.ledger import Ledger
from storage.queues import SliceQueue


class SliceMessages:
    """Sends the messages of one broadcast's slices, each with the delay that its slice needs."""

    def __init__(
        self, broadcast_id: str, *, ledger: Ledger, slice_queue: SliceQueue, clock: Clock
    ) -> None:
        self._broadcast_id = broadcast_id
        self._ledger = ledger
        self._slice_queue = slice_queue
        self._clock = clock
        self._delays: dict[str, int] = {}
        """The delays of the slices that were split off, in seconds, where they are known."""

    def note_split(self, slice_ids: Sequence[str], delay_seconds: int) -> None:
        """Take note of the delay of slices that have just been split off."""
        self._delays.update(dict.fromkeys(slice_ids, delay_seconds))

    def announce(self, slice_ids: Sequence[str]) -> None:
        """Have slices that were split off taken up. Raises StorageError."""
        for slice_id in slice_ids:
            if slice_id not in self._delays:  # the worker that split it off has died
                backlog = self._ledger.backlog_of(self._broadcast_id, slice_id)
                self._delays[slice_id] = self.delay_seconds(backlog)
            self.send(slice_id, self._delays[slice_id])

    def send(self, slice_id: str, delay_seconds: int) -> None:
        """Have a slice taken up after a delay. Raises StorageError."""
        self._slice_queue.send(self._broadcast_id, slice_id, delay_seconds=delay_seconds)

    def delay_seconds(self, backlog: Backlog) -> int:
        """Return the delay of a slice: none while one of its connections was never tried."""
        if backlog.shards or not all(one.rounds for one in backlog.connections) or backlog.is_empty:
            return 0
        return next_round_seconds(backlog.connections, self._clock.epoch_ms())
