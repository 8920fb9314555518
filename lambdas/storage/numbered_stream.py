"""The numbers of one stream: those that no broadcast uses are closed with a void row."""

from contextlib import suppress
from typing import Final

from broadcasting.clock import Clock
from broadcasting.ledger_items import entry_key
from broadcasting.ledger_opening import void_row
from broadcasting.numbering import Counter, Mark, Number
from storage.errors import ConflictError, StorageError
from storage.ledger_table import LedgerTable
from storage.stream_counters import StreamCounters

_MOST_CLOSED: Final = 25
"""How many numbers one opening or answer closes; each takes three requests."""


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

    def close_stale(self, counter: Counter, *, ends_at: float) -> bool:
        """Close the lowest numbers that were taken more than five minutes ago; tell if any was.

        No more than 25 at once, none after `ends_at` (monotonic seconds), and none once a request
        has failed: a later opening or replay closes the others.
        """
        stale = counter.stale_marks(self._clock.epoch_ms())[:_MOST_CLOSED]
        with suppress(StorageError):
            for mark in stale:
                if self._clock.monotonic() > ends_at:
                    break
                self._close(mark, counter.epoch)
        return bool(stale)

    def give_back(self, key: str, number: Number) -> None:
        """Close a number that a broadcast has taken and does not use, as far as possible.

        What cannot be done now is done by a later opening or replay.
        """
        with suppress(StorageError):
            self._close(Mark(key, number.seq, 0), number.epoch)

    def _close(self, mark: Mark, epoch: str) -> None:
        """Write a void row for a number, unless it has rows; then remove its mark.

        A broadcast's frame may have been deleted since, when none was replayed: its entry stays.
        """
        if self._table.get(entry_key(self.name, mark.number)) is None:
            row = void_row(
                self.name,
                Number(mark.number, epoch),
                now_ms=self._clock.epoch_ms(),
                replay_seconds=self._replay_seconds,
            )
            with suppress(ConflictError):  # its rows are there
                self._table.write(row)
        self.counters.remove_mark(self.name, mark.key, mark.number)
