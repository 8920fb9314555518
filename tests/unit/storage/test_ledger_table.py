"""The broadcasts table's calls, with faults where the wire would be."""

from typing import Any

import pytest
from botocore.exceptions import (
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
)

from broadcasting.backlog import ALL_SHARDS
from broadcasting.ledger_items import LIFE_SECONDS, slice_of, summary_key, to_item
from broadcasting.ledger_rows import ROOT, Row, SliceRow, Summary
from storage.errors import BusyError, ConflictError, ReadError, StorageError, WriteError
from storage.ledger_table import LedgerTable
from testbed.model.fakes import NOW_MS
from testbed.model.ledger_dynamo import LedgerDynamo, canceled, refusal

SUMMARY = Summary("b", "d", "*", 1, opened_ms=1)
SLICE = SliceRow("b", ROOT, ALL_SHARDS)
UNREACHABLE = EndpointConnectionError(endpoint_url="injected")


@pytest.fixture
def client() -> LedgerDynamo:
    """An empty table."""
    return LedgerDynamo()


@pytest.fixture
def table(client: LedgerDynamo) -> LedgerTable:
    """The fake behind the table."""
    return client.table


def test_table_writes_next_versions_that_expire(client: LedgerDynamo, table: LedgerTable) -> None:
    """Several rows at once, or one, under their keys."""
    table.write(SUMMARY, SLICE)
    table.write(SLICE._replace(version=1, owner="me"))

    item = table.get(("broadcast#b", "slice#0"))
    assert item is not None
    assert slice_of(item) == SLICE._replace(version=2, owner="me")
    assert len(client.items) == 2
    for item in client.items.values():
        assert item["expiresAt"] == {"N": str(NOW_MS // 1000 + LIFE_SECONDS)}


def test_table_has_nothing_where_nothing_was_written(table: LedgerTable) -> None:
    """None is an answer."""
    assert table.get(("broadcast#b", "slice#0")) is None


@pytest.mark.parametrize("rows", [(SLICE,), (SLICE, SUMMARY)])
@pytest.mark.parametrize("version", [0, 2])
def test_table_refuses_what_was_made_from_something_else(
    table: LedgerTable, rows: tuple[Row, ...], version: int
) -> None:
    """One row that has changed keeps all from being written."""
    table.write(SLICE)
    first, *others = rows

    with pytest.raises(ConflictError, match=r"broadcast#b/slice#0.* changed meanwhile"):
        table.write(first._replace(version=version), *others)
    assert table.get(summary_key("b")) is None


@pytest.mark.parametrize("rows", [(SLICE,), (SLICE, SUMMARY)])
@pytest.mark.parametrize(
    "error",
    [
        refusal("ConditionalCheckFailedException"),
        canceled("ConditionalCheckFailed", "None"),
        canceled("TransactionConflict"),
        refusal("TransactionConflictException"),
        refusal("InternalServerError", status=500),
        UNREACHABLE,
    ],
)
def test_table_counts_a_write_as_done_when_its_answer_was_lost(
    client: LedgerDynamo, table: LedgerTable, rows: tuple[Row, ...], error: Exception
) -> None:
    """The client tries again and finds its own write in the way, or gets no answer at all."""
    client.after = [error]

    table.write(*rows)

    assert len(client.items) == len(rows)


def test_table_counts_a_write_as_done_when_another_has_gone_on_with_one_of_its_rows(
    client: LedgerDynamo, table: LedgerTable
) -> None:
    """All or none: a single row that is still ours tells that all were written."""

    def go_on() -> None:
        other = {**to_item(SUMMARY._replace(version=2)), "writer": {"S": "another"}}
        client.items[summary_key("b")] = other

    client.after = [canceled("ConditionalCheckFailed", "None")]
    client.meanwhile = go_on

    table.write(SUMMARY, SLICE)

    assert client.items[summary_key("b")]["writer"] == {"S": "another"}


def test_table_believes_the_first_row_that_bears_its_mark(
    client: LedgerDynamo, table: LedgerTable
) -> None:
    """All are written or none; the next one is not read."""
    client.after = [UNREACHABLE]

    table.write(SUMMARY, SLICE)

    assert [name for name, _ in client.requests] == ["TransactWriteItems", "GetItem"]


def test_table_is_busy_when_the_row_in_place_bears_no_mark(
    client: LedgerDynamo, table: LedgerTable
) -> None:
    """A row that a person has repaired by hand may lack it: it is not what was to be written."""
    table.write(SLICE)
    del client.items["broadcast#b", "slice#0"]["writer"]
    client.before = [refusal("ThrottlingException")]

    with pytest.raises(BusyError, match="ThrottlingException"):
        table.write(SLICE._replace(version=1))


def test_table_is_busy_when_it_cannot_look_for_a_write_whose_answer_was_lost(
    client: LedgerDynamo, table: LedgerTable
) -> None:
    """Whether it was written is not known: the next write of the slice will tell."""
    client.after = [UNREACHABLE]
    client.meanwhile = lambda: client.before.append(UNREACHABLE)

    with pytest.raises(BusyError):
        table.write(SLICE)
    assert len(client.items) == 1


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (refusal("ConditionalCheckFailedException"), ConflictError),
        (canceled("ConditionalCheckFailed", "None"), ConflictError),
        (canceled("None", "ConditionalCheckFailed"), ConflictError),
        (canceled("ThrottlingError", "ConditionalCheckFailed"), ConflictError),
        (canceled("TransactionConflict", "None"), BusyError),
        (canceled("None", "ThrottlingError"), BusyError),
        (canceled("ProvisionedThroughputExceeded", "None"), BusyError),
        (canceled("RequestLimitExceeded", "None"), BusyError),
        (canceled(), BusyError),
        (refusal("TransactionConflictException"), BusyError),
        (refusal("TransactionInProgressException"), BusyError),
        (refusal("ProvisionedThroughputExceededException"), BusyError),
        (refusal("ThrottlingException"), BusyError),
        (refusal("RequestLimitExceeded"), BusyError),
        (refusal("InternalServerError", status=500), BusyError),
        (refusal("Whatever", status=503), BusyError),
        (UNREACHABLE, BusyError),
        (ReadTimeoutError(endpoint_url="injected"), BusyError),
        (ConnectTimeoutError(endpoint_url="injected"), BusyError),
        (ConnectionClosedError(endpoint_url="injected"), BusyError),
        (canceled("ValidationError", "ThrottlingError"), WriteError),
        (canceled("None", "ItemCollectionSizeLimitExceeded"), WriteError),
        (refusal("ValidationException"), WriteError),
        (refusal("AccessDeniedException"), WriteError),
        (refusal("ResourceNotFoundException"), WriteError),
        (NoCredentialsError(), WriteError),
    ],
    ids=repr,
)
def test_table_tells_what_has_changed_from_what_is_busy_and_what_is_refused(
    client: LedgerDynamo, table: LedgerTable, error: Exception, kind: type[StorageError]
) -> None:
    """Read anew at once, wait, or give up: the three ends of a write that was not made."""
    client.before = [error]

    with pytest.raises(StorageError) as caught:
        table.write(SUMMARY, SLICE)

    assert type(caught.value) is kind
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("reason", ["ThrottlingError", "TransactionConflict"])
def test_table_says_why_a_transaction_was_canceled(
    client: LedgerDynamo, table: LedgerTable, reason: str
) -> None:
    """The rows, what DynamoDB said, and its reasons."""
    client.before = [canceled("None", reason)]

    with pytest.raises(
        BusyError, match=rf"broadcast#b/summary, broadcast#b/slice#0 not written: .*\({reason}\)"
    ):
        table.write(SUMMARY, SLICE)


@pytest.mark.parametrize("error", [refusal("Whatever", status=500), UNREACHABLE])
def test_table_says_what_was_not_read(
    client: LedgerDynamo, table: LedgerTable, error: Exception
) -> None:
    """The key is in the error."""
    client.before = [error]

    with pytest.raises(ReadError, match="broadcast#b"):
        table.get(summary_key("b"))


@pytest.mark.parametrize(
    ("expires_at", "is_there"),
    [
        ({"N": str(NOW_MS // 1000)}, False),
        ({"N": f"{NOW_MS // 1000}.5"}, True),
        ({"N": str(NOW_MS // 1000 + 1)}, True),
        ({"S": "yesterday"}, True),
        ({"NULL": True}, True),
    ],
)
def test_table_has_no_row_that_has_expired(
    client: LedgerDynamo,
    table: LedgerTable,
    expires_at: dict[str, Any],
    is_there: bool,  # noqa: FBT001
) -> None:
    """DynamoDB deletes it days later. An expiry that is no number never comes."""
    table.write(SLICE)
    client.items["broadcast#b", "slice#0"]["expiresAt"] = expires_at

    assert (table.get(("broadcast#b", "slice#0")) is not None) is is_there


@pytest.mark.parametrize("rows", [(SLICE,), (SLICE, SUMMARY)])
def test_table_writes_over_rows_that_have_expired(
    client: LedgerDynamo, table: LedgerTable, rows: tuple[Row, ...]
) -> None:
    """A first write needs a place without a row: nothing of the old one stays."""
    table.write(*(SLICE._replace(owner="old"), SUMMARY)[: len(rows)])
    for old in client.items.values():
        old["expiresAt"] = {"N": str(NOW_MS // 1000)}

    table.write(*rows)

    item = table.get(("broadcast#b", "slice#0"))
    assert item is not None
    assert slice_of(item) == SLICE._replace(version=1)
