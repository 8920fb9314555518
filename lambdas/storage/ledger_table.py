"""The broadcasts table: reads rows, and writes several of them together or not at all."""

import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import BotoCoreError, ClientError

from broadcasting.clock import Clock
from broadcasting.items import EXPIRY, Item, Key, attribute_of, key_attributes
from broadcasting.ledger_items import LIFE_SECONDS, WRITER, key_of, to_item
from broadcasting.ledger_rows import Row, next_version
from storage.errors import ReadError
from storage.ledger_refusals import refusal_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class LedgerTable:
    """Rows by their keys; each write is conditional on the version that it is made from.

    A row that has expired is no row: DynamoDB deletes it days later.
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ttl-expired-items.html
    """

    def __init__(self, client: "DynamoDBClient", name: str, *, clock: Clock) -> None:
        self._client = client
        self._name = name
        self._epoch_ms = clock.epoch_ms

    def get(self, key: Key) -> Item | None:
        """Return an item as it is now, None if there is none. Raises ReadError."""
        try:
            answer = self._client.get_item(
                TableName=self._name, Key=key_attributes(key), ConsistentRead=True
            )
        except (ClientError, BotoCoreError) as error:
            raise ReadError(f"row {key} not read: {error}") from error
        item = cast("Item | None", answer.get("Item"))
        return None if item is None or self._is_expired(item) else item

    def write(self, *rows: Row) -> None:
        """Write the next versions of rows that were made from what was read.

        All or none. Raises ConflictError when one of them has changed since it was read, or,
        with version 0, exists; BusyError when DynamoDB cannot write them just now; WriteError when
        it refuses to. A write whose answer was lost counts as done if its rows are there.
        """
        writer = uuid.uuid4().hex
        try:
            self._put_all([self._put(row, writer) for row in rows])
        except (ClientError, BotoCoreError) as error:
            if self._are_written(rows, writer):
                return
            raise refusal_of(_names(rows), error) from error

    def delete(self, key: Key) -> None:
        """Delete a row; one that is not there counts as deleted. Raises BusyError or WriteError."""
        try:
            self._client.delete_item(TableName=self._name, Key=key_attributes(key))
        except (ClientError, BotoCoreError) as error:
            raise refusal_of("/".join(key), error) from error

    def _now_seconds(self) -> int:
        return self._epoch_ms() // 1000

    def _is_expired(self, item: Item) -> bool:
        """Tell whether an item has expired: as for DynamoDB, without a number it never does."""
        expires_at = item.get(EXPIRY, {}).get("N")
        return expires_at is not None and float(expires_at) <= self._now_seconds()

    def _put(self, row: Row, writer: str) -> Any:
        """Return the conditional put of a row's next version."""
        now_seconds = self._now_seconds()
        condition, values = "attribute_not_exists(pk) OR expiresAt <= :now", {":now": now_seconds}
        if row.version:
            condition, values = "version = :before", {":before": row.version}
        item = {
            **to_item(next_version(row)),
            **key_attributes(key_of(row)),
            WRITER: attribute_of(writer),
            EXPIRY: attribute_of(now_seconds + LIFE_SECONDS),
        }
        return {
            "TableName": self._name,
            "Item": item,
            "ConditionExpression": condition,
            "ExpressionAttributeValues": {
                name: attribute_of(value) for name, value in values.items()
            },
        }

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
        mark = attribute_of(writer)
        try:
            found = (self.get(key_of(row)) for row in rows[:2])
            return any(item is not None and item.get(WRITER) == mark for item in found)
        except ReadError:
            return False


def _names(rows: Sequence[Row]) -> str:
    return ", ".join("/".join(key_of(row)) for row in rows)
