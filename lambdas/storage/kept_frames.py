"""Frames that are kept no longer than their broadcasts take, when no client may ask for them."""

from contextlib import suppress
from typing import NamedTuple

from broadcasting.ledger_items import frame_key
from broadcasting.ledger_rows import Summary
from storage.errors import StorageError
from storage.ledger_table import LedgerTable
from storage.row_reader import RowReader


class KeptFrames(NamedTuple):
    """The frames of the ledger. A frame that cannot be deleted expires; no method raises."""

    table: LedgerTable
    replay_seconds: int

    def forget(self, summary: Summary) -> None:
        """Delete the frame of a broadcast that has settled, unless clients may ask for it."""
        if summary.is_settled and self.replay_seconds == 0:
            with suppress(StorageError):
                self.table.delete(frame_key(summary.channel, summary.seq))

    def forget_closed(self, broadcast_id: str, reader: RowReader) -> None:
        """Do the same for a message that found its slice closed: its worker may have died."""
        if self.replay_seconds:
            return
        with suppress(StorageError):
            summary = reader.find_summary(broadcast_id)
            if summary:
                self.forget(summary)
