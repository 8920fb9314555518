"""Rows on their way into the table: their next versions, and who has failed beside them."""

from dataclasses import replace
from typing import TypeVar

from broadcasting.ledger import SliceRow, Summary
from broadcasting.ledger_items import FailedRow, key_of
from storage.ledger_table import LedgerTable

_Versioned = TypeVar("_Versioned", Summary, SliceRow)
_New = TypeVar("_New", SliceRow, FailedRow)

_FAILED_PER_ROW = 250
_REASON_CHARACTERS = 200
"""A row takes 400 KB, and JSON some 6 bytes for the worst of characters."""

Failed = tuple[tuple[str, str], ...]
"""Connections that have failed, and why."""


def next_version(row: _Versioned) -> _Versioned:
    """Return a row as it is once it has been written."""
    return replace(row, version=row.version + 1)


def over_leftover(table: LedgerTable, row: _New) -> _New:
    """Return a new row that may be written over what lies in its place.

    That is left by an earlier broadcast of the same id whose summary has expired before it. Only
    for rows whose place is ours by another row of the same transaction. Raises ReadError.
    """
    item = table.get(key_of(row))
    return row if item is None else replace(row, version=int(item["version"]["N"]))


def with_failed(slice_row: SliceRow, failed: Failed) -> tuple[SliceRow, tuple[FailedRow, ...]]:
    """Return what to write besides a slice for connections that have failed."""
    shown = tuple((id_, reason[:_REASON_CHARACTERS]) for id_, reason in failed)
    rows = tuple(
        FailedRow(
            slice_row.broadcast_id,
            slice_row.id,
            slice_row.failed_rows + number,
            shown[start : start + _FAILED_PER_ROW],
        )
        for number, start in enumerate(range(0, len(shown), _FAILED_PER_ROW))
    )
    return replace(slice_row, failed_rows=slice_row.failed_rows + len(rows)), rows
