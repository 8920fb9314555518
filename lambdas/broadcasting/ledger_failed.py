"""Connections that have failed: which rows keep them, beside the row of their slice. Pure."""

from broadcasting.ledger_rows import FailedConnection, FailedRow, SliceRow

_CONNECTIONS_PER_ROW = 250
_REASON_CHARACTERS = 200
"""A row takes 400 KB, and a character takes up to 6 bytes as JSON."""


def with_failed(
    slice_row: SliceRow, failed: tuple[FailedConnection, ...]
) -> tuple[SliceRow, tuple[FailedRow, ...]]:
    """Return a slice that counts the rows of what has failed in it, and these rows."""
    shown = [FailedConnection(one.id, one.reason[:_REASON_CHARACTERS]) for one in failed]
    rows = tuple(
        FailedRow(
            slice_row.broadcast_id,
            slice_row.id,
            slice_row.failed_rows + number,
            tuple(shown[start : start + _CONNECTIONS_PER_ROW]),
        )
        for number, start in enumerate(range(0, len(shown), _CONNECTIONS_PER_ROW))
    )
    return slice_row._replace(failed_rows=slice_row.failed_rows + len(rows)), rows
