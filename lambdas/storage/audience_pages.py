"""The connections of an audience as the connections table has them, page by page."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from botocore.exceptions import BotoCoreError, ClientError

from broadcasting.audience import LISTED
from broadcasting.backlog import ShardCursor
from broadcasting.clock import Clock, Jitter
from broadcasting.connection import Connection
from broadcasting.connection_row import connection_key, connection_of, has_expired
from broadcasting.items import SORT_KEY, Item, Key, key_attributes
from storage.errors import BusyError, ReadError
from storage.patience import Patience
from storage.row_batches import READ_ROWS, RowBatches

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PAGE_ROWS: Final = 1_000
"""How many rows one Query reads: it bounds the memory of a page to some 100 KB."""

LOOK_UP_SECONDS: Final = 2.0
"""How long keys are looked up that DynamoDB leaves unprocessed."""


class Page(NamedTuple):
    """Some connections of one partition, and where the next page begins, unless it was the last.

    `absent` are the ids of those that have no row.
    """

    connections: tuple[Connection, ...]
    next: ShardCursor | None
    absent: frozenset[str] = frozenset()


class AudiencePages:
    """Reads pages, strongly consistently: a client whose `$connect` was answered is not missed."""

    def __init__(
        self, client: "DynamoDBClient", name: str, *, clock: Clock, jitter: Jitter
    ) -> None:
        self._client = client
        self._name = name
        self._rows = RowBatches(client, name)
        self._patience = Patience(clock, jitter)

    def page(self, cursor: ShardCursor, now_ms: int) -> Page:
        """Read up to 1,000 rows of a partition, leaving out those that have expired.

        Raises ReadError.
        """
        partition, start = cursor.partition, {}
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
            raise ReadError(f"partition {partition} after {cursor.after}: {error}") from error
        items = cast("list[Item]", answer["Items"])
        last_key = answer.get("LastEvaluatedKey")
        return Page(
            tuple(filter(None, map(connection_of, items))),
            ShardCursor(partition, last_key[SORT_KEY]["S"]) if last_key else None,
        )

    def listed_page(self, ids: Sequence[str], after: str | None, now_ms: int) -> Page:
        """Look up the next 100 connections of a list of ids, those after the id `after`.

        Those without a row, and those that have expired, are `absent`. Raises ReadError.
        """
        first = ids_taken(ids, after)
        wanted = ids[first : first + READ_ROWS]
        found = self._look_up([connection_key(one) for one in wanted])
        rows = {item[SORT_KEY]["S"]: item for item in found if not has_expired(item, now_ms)}
        connections = (connection_of(rows[one]) if one in rows else None for one in wanted)
        is_last = first + READ_ROWS >= len(ids)
        return Page(
            tuple(one or Connection(id_, 0) for id_, one in zip(wanted, connections, strict=True)),
            None if is_last else ShardCursor(LISTED, wanted[-1]),
            frozenset(one for one in wanted if one not in rows),
        )

    def _look_up(self, keys: list[Key]) -> list[Item]:
        """Return the rows of keys that there are. Raises ReadError when some are not looked up."""
        rows: list[Item] = []

        def read(pending: list[Key]) -> list[Key]:
            found, unread = self._rows.read(pending, is_consistent=True)
            rows.extend(found)
            return unread

        ends_at = self._patience.clock.monotonic() + LOOK_UP_SECONDS
        try:
            self._patience.until_all(read, keys, ends_at=ends_at)
        except BusyError as error:
            raise ReadError(f"listed connections not looked up: {error}") from error
        return rows


def ids_taken(ids: Sequence[str], after: str | None) -> int:
    """Return how many ids of a list are not after the id `after`: none when it is None.

    Raises ValueError when the list does not have it.
    """
    return 0 if after is None else ids.index(after) + 1
