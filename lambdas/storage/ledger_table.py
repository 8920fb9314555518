"""The broadcasts table: reads rows, and writes several of them together or not at all."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from storage.errors import ConflictError, ReadError, WriteError
from storage.ledger_items import LIFE_SECONDS, Item, Row, key_of, to_item
from storage.ledger_items import Sequence as Counter

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_CONFLICTS = (
    "ConditionalCheckFailedException",
    "TransactionCanceledException",
    "TransactionConflictException",
)


class LedgerTable:
    """Rows by their keys; each write is conditional on the version that it is made from."""

    def __init__(self, client: "DynamoDBClient", name: str, *, epoch_ms: Callable[[], int]) -> None:
        self._client = client
        self._name = name
        self._epoch_ms = epoch_ms

    def get(self, key: tuple[str, str]) -> Item | None:
        """Return an item as it is now, None if there is none. Raises ReadError."""
        try:
            answer = self._client.get_item(
                TableName=self._name, Key=_attributes(key), ConsistentRead=True
            )
        except (ClientError, BotoCoreError) as error:
            raise ReadError(f"row {key} not read: {error}") from error
        return answer.get("Item")

    def write(self, *rows: Row) -> None:
        """Write the next versions of rows that were made from what was read.

        All or none. Raises ConflictError when one of them has changed since it was read, or,
        with version 0, exists; WriteError when nothing can be written. A write whose answer was
        lost counts as done if its rows are there.
        """
        writer = uuid.uuid4().hex
        try:
            self._put_all([self._put(row, writer) for row in rows])
        except (ClientError, BotoCoreError) as error:
            if self._are_written(rows, writer):
                return
            if isinstance(error, ClientError) and error.response["Error"]["Code"] in _CONFLICTS:
                raise ConflictError(f"{_names(rows)} changed meanwhile") from error
            raise WriteError(f"{_names(rows)} not written: {error}") from error

    def _put(self, row: Row, writer: str) -> Any:
        """Return the conditional put of a row's next version."""
        condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(pk)"}
        if row.version:
            condition = {
                "ConditionExpression": "version = :before",
                "ExpressionAttributeValues": {":before": {"N": str(row.version)}},
            }
        item = {
            **to_item(replace(row, version=row.version + 1)),
            **_attributes(key_of(row)),
            "writer": {"S": writer},
        }
        if not isinstance(row, Counter):  # a channel's numbers go on, however long it was silent
            item["expiresAt"] = {"N": str(self._epoch_ms() // 1000 + LIFE_SECONDS)}
        return {"TableName": self._name, "Item": item, **condition}

    def _put_all(self, puts: list[Any]) -> None:
        if len(puts) == 1:
            self._client.put_item(**puts[0])
        else:
            self._client.transact_write_items(TransactItems=[{"Put": put} for put in puts])

    def _are_written(self, rows: Sequence[Row], writer: str) -> bool:
        """Tell whether a write that failed was made all the same: its answer was lost.

        One row tells, as all are written or none; two are looked at, as others may have gone on
        with one of them.
        """
        try:
            found = (self.get(key_of(row)) for row in rows[:2])
            return any(item is not None and item["writer"]["S"] == writer for item in found)
        except ReadError:
            return False


def _attributes(key: tuple[str, str]) -> Item:
    return {"pk": {"S": key[0]}, "sk": {"S": key[1]}}


def _names(rows: Sequence[Row]) -> str:
    return ", ".join("/".join(key_of(row)) for row in rows)
