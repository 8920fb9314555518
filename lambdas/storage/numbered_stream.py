"""The numbers of one stream: those that no broadcast uses are closed with a void row."""

from contextlib import suppress

from broadcasting.clock import Clock
from broadcasting.ledger_opening import void_row
from broadcasting.numbering import Counter, Mark, Number
from storage.errors import ConflictError, StorageError
from storage.ledger_table import LedgerTable
from storage.stream_counters import StreamCounters


class NumberedStream:
    """The numbers of one stream, and what closes those that no broadcast uses."""

    def __init__(
        self,
        stream: str,
        table: LedgerTable,
        counters: StreamCounters,
        *,
        clock: Clock,
        replay_seconds: int,
    ) -> None:
        self.name = stream
        self.counters = counters
        self._table = table
        self._clock = clock
        self._replay_seconds = replay_seconds

    def close_stale(self, counter: Counter) -> None:
        """Close the numbers that were taken more than five minutes ago, as far as possible."""
        for mark in counter.stale_marks(self._clock.epoch_ms()):
            self.close(mark, counter.epoch)

    def close(self, mark: Mark, epoch: str) -> None:
        """Write a void row for a number, unless it has rows; then remove its mark.

        What cannot be done now is done by a later opening or replay.
        """
        row = void_row(
            self.name,
            Number(mark.number, epoch),
            now_ms=self._clock.epoch_ms(),
            replay_seconds=self._replay_seconds,
        )
        with suppress(StorageError):
            with suppress(ConflictError):  # its rows are there
                self._table.write(row)
            self.counters.remove_mark(self.name, mark.key, mark.number)
