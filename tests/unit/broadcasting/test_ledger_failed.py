"""The rows of connections that have failed."""

from broadcasting.backlog import Backlog
from broadcasting.ledger_failed import with_failed
from broadcasting.ledger_rows import FailedConnection, FailedRow, SliceRow

SLICE = SliceRow("b", "4", Backlog(), failed_rows=2)


def test_failed_connections_are_kept_in_rows_that_the_slice_counts() -> None:
    """No row that was written before is written over."""
    failed = tuple(FailedConnection(f"c{number}", "413") for number in range(251))

    slice_row, rows = with_failed(SLICE, failed)

    assert slice_row.failed_rows == 4
    assert rows == (
        FailedRow("b", "4", 2, failed[:250]),
        FailedRow("b", "4", 3, failed[250:]),
    )


def test_slice_stays_as_it_is_when_no_connection_has_failed() -> None:
    """The usual case: one row is written, not two."""
    assert with_failed(SLICE, ()) == (SLICE, ())


def test_reason_of_a_failed_connection_is_cut() -> None:
    """A row of 250 connections must fit into DynamoDB's 400 KB."""
    _, (row,) = with_failed(SLICE, (FailedConnection("c", "x" * 300),))

    assert row.failed == (FailedConnection("c", "x" * 200),)
