"""Reads the rows of the ledger as values. A row that cannot be read makes a dead letter."""

from collections.abc import Callable
from typing import TypeVar, cast

from broadcasting.audience import words_of
from broadcasting.errors import RejectedError
from broadcasting.items import Item
from broadcasting.ledger_items import (
    LIFE_DAYS,
    entry_key,
    frame_key,
    frame_row_of,
    key_of,
    slice_key,
    slice_of,
    summary_key,
    summary_of,
)
from broadcasting.ledger_rows import FailedRow, FrameRow, SliceRow, Summary
from storage.ledger_table import LedgerTable

_T = TypeVar("_T")
_Beside = TypeVar("_Beside", bound=SliceRow | FailedRow)


class RowReader:
    """The rows as they are now. Each method may raise ReadError."""

    def __init__(self, table: LedgerTable) -> None:
        self._table = table

    def find_summary(self, broadcast_id: str) -> Summary | None:
        """Return a broadcast's summary, None when the ledger does not know the broadcast."""
        item = self._table.get(summary_key(broadcast_id))
        return None if item is None else _readable(summary_of, item)

    def slice_row(self, broadcast_id: str, slice_id: str) -> SliceRow:
        """Return a slice. Raises RejectedError when the ledger does not know it."""
        item = self._table.get(slice_key(broadcast_id, slice_id))
        if item is None:
            raise _unknown(broadcast_id, slice_id)
        return _readable(slice_of, item)

    def both(self, broadcast_id: str, slice_id: str) -> tuple[Summary, SliceRow]:
        """Return a summary and one of its slices. Raises RejectedError for what is unknown."""
        summary = self.find_summary(broadcast_id)
        if summary is None:
            raise _unknown(broadcast_id, slice_id)
        return summary, self.slice_row(broadcast_id, slice_id)

    def is_taken(self, stream: str, number: int) -> bool:
        """Tell whether a number has rows that have not expired, void or a broadcast's."""
        keys = frame_key(stream, number), entry_key(stream, number)
        return any(self._table.get(key) is not None for key in keys)

    def frame_of(self, summary: Summary, slice_row: SliceRow) -> FrameRow:
        """Return what a slice posts, an empty row when its backlog is empty.

        Raises RejectedError when the ledger does not have the frame.
        """
        if slice_row.backlog.is_empty:
            return FrameRow(summary.channel, summary.seq, "")
        if summary.frame:  # an earlier release has opened it
            return FrameRow(summary.channel, summary.seq, summary.frame)
        item = self._table.get(frame_key(summary.channel, summary.seq))
        if item is None:
            raise RejectedError(
                f"the ledger has no frame {summary.seq} of those to "
                f"{words_of(summary.channel)}: its broadcast was opened more than {LIFE_DAYS} days "
                "ago, or the row was deleted"
            )
        return _readable(frame_row_of, item)

    def over_leftover(self, row: _Beside) -> _Beside:
        """Return a new row that may be written over what lies in its place.

        It is from an earlier broadcast of the same id whose summary has expired before it.
        Only for rows whose place is ours by another row of the same transaction. Raises
        RejectedError for a leftover without a version, which no write can be conditional on.
        """
        item = self._table.get(key_of(row))
        if item is None:
            return row
        return cast("_Beside", row._replace(version=_readable(_version_of, item)))


def _readable(read: Callable[[Item], _T], item: Item) -> _T:
    try:
        return read(item)
    except (KeyError, TypeError, ValueError) as error:
        raise RejectedError(f"its row in the ledger cannot be read: {error!r}") from error


def _version_of(item: Item) -> int:
    return int(item["version"]["N"])


def _unknown(broadcast_id: str, slice_id: str) -> RejectedError:
    return RejectedError(
        f"the ledger knows no slice {slice_id} of broadcast {broadcast_id}: it is forged, or its "
        f"broadcast was opened more than {LIFE_DAYS} days ago"
    )
