"""The connections table: one row for each connection, in the shard that follows from its id."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, cast

from botocore.exceptions import BotoCoreError, ClientError

from broadcasting.audience import Connection
from broadcasting.backlog import ShardCursor
from broadcasting.connection_row import (
    connection_item,
    connection_key,
    connection_of,
    partition_of,
)
from broadcasting.items import SORT_KEY, Item, key_attributes
from storage.errors import ReadError, WriteError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import WriteRequestTypeDef

PAGE_ROWS = 1_000
"""How many rows one Query reads: it bounds the memory of a page to some 100 KB."""

BATCH_ROWS = 25
"""How many rows one BatchWriteItem takes.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html
"""


class Page(NamedTuple):
    """Some connections of one shard, and where the next page begins, unless it was the last."""

    connections: tuple[Connection, ...]
    next: ShardCursor | None


class ConnectionsTable:
    """Adds, removes and reads the rows of the connections table."""

    def __init__(self, client: "DynamoDBClient", name: str) -> None:
        self._client = client
        self._name = name

    def add(self, connection: Connection) -> None:
        """Write a connection's row; writing it again changes nothing. Raises WriteError."""
        try:
            self._client.put_item(TableName=self._name, Item=connection_item(connection))
        except (ClientError, BotoCoreError) as error:
            raise WriteError(f"no row for connection {connection.id}: {error}") from error

    def remove(self, connection_id: str) -> None:
        """Delete a connection's row, if there is one. Raises WriteError."""
        try:
            self._client.delete_item(TableName=self._name, Key=_key(connection_id))
        except (ClientError, BotoCoreError) as error:
            raise WriteError(f"row of {connection_id} not deleted: {error}") from error

    def remove_batch(self, connection_ids: Sequence[str]) -> list[str]:
        """Delete up to 25 rows at once; return the ids that DynamoDB left unprocessed.

        Raises WriteError when none could be processed.
        """
        requests: list[WriteRequestTypeDef] = [
            {"DeleteRequest": {"Key": _key(connection_id)}} for connection_id in connection_ids
        ]
        try:
            answer = self._client.batch_write_item(RequestItems={self._name: requests})
        except (ClientError, BotoCoreError) as error:
            raise WriteError(f"{len(requests)} stale rows not deleted: {error}") from error
        unprocessed = answer.get("UnprocessedItems", {}).get(self._name, [])
        return [request["DeleteRequest"]["Key"][SORT_KEY]["S"] for request in unprocessed]

    def page(self, cursor: ShardCursor, now_ms: int) -> Page:
        """Read up to 1,000 rows of a shard, leaving out those that have expired.

        The read is strongly consistent: a connection whose `$connect` was answered is not missed.
        Raises ReadError.
        """
        partition, start = partition_of(cursor.shard), {}
        if cursor.after:
            start = {"ExclusiveStartKey": key_attributes((partition, cursor.after))}
        try:
            answer = self._client.query(
                TableName=self._name,
                KeyConditionExpression="pk = :shard",
                FilterExpression="expiresAt > :now",
                ProjectionExpression="sk, connectedAt",
                ExpressionAttributeValues={
                    ":shard": {"S": partition},
                    ":now": {"N": str(now_ms // 1000)},
                },
                ConsistentRead=True,
                Limit=PAGE_ROWS,
                **start,  # type: ignore[arg-type]
            )
        except (ClientError, BotoCoreError) as error:
            raise ReadError(f"shard {cursor.shard} after {cursor.after}: {error}") from error
        items = cast("list[Item]", answer["Items"])
        last_key = answer.get("LastEvaluatedKey")
        return Page(
            tuple(filter(None, map(connection_of, items))),
            ShardCursor(cursor.shard, last_key[SORT_KEY]["S"]) if last_key else None,
        )


def _key(connection_id: str) -> Item:
    return key_attributes(connection_key(connection_id))
