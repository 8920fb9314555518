"""Frames that were read before: they never change. Nothing of a client is kept here."""

from collections import OrderedDict
from typing import Final

from broadcasting.ledger_rows import FrameRow

CACHE_BYTES: Final = 8 * 1024 * 1024

_ROW_BYTES: Final = 500
"""About what a row takes beside its texts."""

_Name = tuple[str, str, int]


class FrameCache:
    """The rows that were used last, by stream, epoch and number, up to `most_bytes` of them."""

    def __init__(self, most_bytes: int = CACHE_BYTES) -> None:
        self._most_bytes = most_bytes
        self._rows: OrderedDict[_Name, FrameRow] = OrderedDict()
        self._bytes = 0

    def get(self, stream: str, epoch: str, number: int) -> FrameRow | None:
        """Return the row of a number, None when it is not kept."""
        name = stream, epoch, number
        row = self._rows.get(name)
        if row is not None:
            self._rows.move_to_end(name)
        return row

    def put(self, row: FrameRow) -> None:
        """Keep a row, in place of those that were not used for the longest time."""
        name = row.channel, row.epoch, row.seq
        if name not in self._rows:
            self._rows[name] = row
            self._bytes += row_bytes(row)
        while self._bytes > self._most_bytes:
            _, oldest = self._rows.popitem(last=False)
            self._bytes -= row_bytes(oldest)


def row_bytes(row: FrameRow) -> int:
    """Return about what a row takes, of memory and of what is read of DynamoDB."""
    ids = sum(len(one) + 1 for one in (*row.exclude, *row.connections))
    return _ROW_BYTES + len(row.frame.encode()) + ids
