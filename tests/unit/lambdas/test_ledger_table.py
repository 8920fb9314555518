"""The broadcasts table's calls, with faults where the wire would be."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from broadcasting.ledger import ROOT, SliceRow, Summary
from broadcasting.work import ALL_SHARDS
from storage.errors import ConflictError, ReadError, WriteError
from storage.ledger_items import LIFE_SECONDS, Row, slice_of, summary_key, to_item
from storage.ledger_items import Sequence as Counter
from storage.ledger_table import LedgerTable
from tests.unit.lambdas.fakes import NOW_MS, aws_error

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

SUMMARY = Summary("b", "d", "*", 1, "frame", opened_ms=1)
PIECE = SliceRow("b", ROOT, ALL_SHARDS)
UNREACHABLE = EndpointConnectionError(endpoint_url="injected")


class _FakeClient:
    """One table; `before` and `after` are what goes wrong before and after the next write."""

    def __init__(self) -> None:
        self.items: dict[tuple[str, str], dict[str, Any]] = {}
        self.before: Exception | None = None
        self.after: Exception | None = None
        self.meanwhile: Row | None = None

    def get_item(self, **request: Any) -> dict[str, Any]:
        assert request["ConsistentRead"]
        if self.before:
            raise self.before
        item = self.items.get((request["Key"]["pk"]["S"], request["Key"]["sk"]["S"]))
        return {"Item": item} if item else {}

    def put_item(self, **put: Any) -> None:
        self._put([put], "ConditionalCheckFailedException")

    def transact_write_items(self, **request: Any) -> None:
        puts = [one["Put"] for one in request["TransactItems"]]
        self._put(puts, "TransactionCanceledException")

    def _put(self, puts: list[dict[str, Any]], code: str) -> None:
        if self.before:
            raise self.before
        if not all(self._holds(put) for put in puts):
            raise aws_error(400, code)
        for put in puts:
            assert put["TableName"] == "ledger"
            self.items[put["Item"]["pk"]["S"], put["Item"]["sk"]["S"]] = put["Item"]
        if self.after:
            if self.meanwhile:
                other = {**to_item(self.meanwhile), "writer": {"S": "another"}}
                self.items[summary_key("b")] = other
            raise self.after

    def _holds(self, put: dict[str, Any]) -> bool:
        item = self.items.get((put["Item"]["pk"]["S"], put["Item"]["sk"]["S"]))
        if put["ConditionExpression"] == "attribute_not_exists(pk)":
            return item is None
        assert put["ConditionExpression"] == "version = :before"
        before = put["ExpressionAttributeValues"][":before"]
        return item is not None and item["version"] == before


@pytest.fixture
def client() -> _FakeClient:
    """An empty table."""
    return _FakeClient()


@pytest.fixture
def table(client: _FakeClient) -> LedgerTable:
    """The fake behind the table."""
    return LedgerTable(cast("DynamoDBClient", client), "ledger", epoch_ms=lambda: NOW_MS)


def test_table_writes_next_versions_that_expire(client: _FakeClient, table: LedgerTable) -> None:
    """Several rows at once, or one, under their keys."""
    table.write(SUMMARY, PIECE)
    table.write(replace(PIECE, version=1, owner="me"))

    item = table.get(("broadcast#b", "slice#0"))
    assert item is not None
    assert slice_of(item) == replace(PIECE, version=2, owner="me")
    assert len(client.items) == 2
    for item in client.items.values():
        assert item["expiresAt"] == {"N": str(NOW_MS // 1000 + LIFE_SECONDS)}


def test_table_keeps_the_counter_of_a_channel_for_ever(
    client: _FakeClient, table: LedgerTable
) -> None:
    """A week of silence must not begin its numbers anew."""
    table.write(Counter("*", last=7))

    (item,) = client.items.values()
    assert "expiresAt" not in item


def test_table_has_nothing_where_nothing_was_written(table: LedgerTable) -> None:
    """None is an answer."""
    assert table.get(("broadcast#b", "slice#0")) is None


@pytest.mark.parametrize("rows", [(PIECE,), (PIECE, SUMMARY)])
@pytest.mark.parametrize("version", [0, 2])
def test_table_refuses_what_was_made_from_something_else(
    table: LedgerTable, rows: tuple[Row, ...], version: int
) -> None:
    """One row that has changed keeps all from being written."""
    table.write(PIECE)
    first, *others = rows

    with pytest.raises(ConflictError, match=r"broadcast#b/slice#0.* changed meanwhile"):
        table.write(replace(first, version=version), *others)
    assert table.get(summary_key("b")) is None


@pytest.mark.parametrize("rows", [(PIECE,), (PIECE, SUMMARY)])
@pytest.mark.parametrize(
    "code",
    [
        "ConditionalCheckFailedException",
        "TransactionCanceledException",
        "TransactionConflictException",
    ],
)
def test_table_counts_a_write_as_done_when_its_first_answer_was_lost(
    client: _FakeClient, table: LedgerTable, rows: tuple[Row, ...], code: str
) -> None:
    """The client tries again and finds its own write in the way: it is ours, so it is done."""
    client.after = aws_error(400, code)

    table.write(*rows)

    assert len(client.items) == len(rows)


def test_table_counts_a_write_as_done_when_another_has_gone_on_with_one_of_its_rows(
    client: _FakeClient, table: LedgerTable
) -> None:
    """All or none: a single row that is still ours tells that all were written."""
    client.after = aws_error(400, "TransactionCanceledException")
    client.meanwhile = replace(SUMMARY, version=2)

    table.write(SUMMARY, PIECE)

    assert client.items[summary_key("b")]["writer"] == {"S": "another"}


@pytest.mark.parametrize("rows", [(PIECE,), (PIECE, SUMMARY)])
@pytest.mark.parametrize("error", [aws_error(500), UNREACHABLE])
def test_table_counts_a_write_as_done_when_all_its_answers_were_lost(
    client: _FakeClient, table: LedgerTable, rows: tuple[Row, ...], error: Exception
) -> None:
    """It looks whether the write is there, before it says that nothing was written."""
    client.after = error

    table.write(*rows)

    assert len(client.items) == len(rows)


def test_table_believes_the_first_row_that_bears_its_mark(
    client: _FakeClient, table: LedgerTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All are written or none; that the next one cannot be read changes nothing."""
    client.after = aws_error(500)
    found = table.get
    reads: list[tuple[str, str]] = []

    def get(key: tuple[str, str]) -> Any:
        reads.append(key)
        return found(key)

    monkeypatch.setattr(table, "get", get)
    table.write(SUMMARY, PIECE)

    assert reads == [summary_key("b")]


@pytest.mark.parametrize("error", [aws_error(400, "ValidationException"), UNREACHABLE])
def test_table_says_what_was_not_written(
    client: _FakeClient, table: LedgerTable, error: Exception
) -> None:
    """A refusal, or no answer at all."""
    client.before = error

    with pytest.raises(WriteError, match="broadcast#b/summary, broadcast#b/slice#0 not written"):
        table.write(SUMMARY, PIECE)


@pytest.mark.parametrize("error", [aws_error(500), UNREACHABLE])
def test_table_says_what_was_not_read(
    client: _FakeClient, table: LedgerTable, error: ClientError
) -> None:
    """The key is in the error."""
    client.before = error

    with pytest.raises(ReadError, match="broadcast#b"):
        table.get(summary_key("b"))
