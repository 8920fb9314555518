"""The connections table: the rows of each connection, written, deleted, and read by shards."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from botocore.exceptions import BotoCoreError, ClientError

from broadcasting.audience import EVERYONE, LISTED, row_key
from broadcasting.backlog import ShardCursor
from broadcasting.clock import Clock, Jitter
from broadcasting.connecting_client import ConnectingClient, rows_of
from broadcasting.connection import Connection
from broadcasting.connection_row import connection_key, connection_of, has_expired
from broadcasting.items import SORT_KEY, Item, Key, key_attributes
from broadcasting.self_row import other_keys
from broadcasting.user_rows import self_key, user_key
from storage.errors import ReadError, WriteError
from storage.patience import Patience
from storage.row_batches import BATCH_ROWS, READ_ROWS, RowBatches, key_of_item

__all__ = ["BATCH_ROWS", "PAGE_ROWS", "ConnectionsTable", "Page"]

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PAGE_ROWS = 1_000
"""How many rows one Query reads: it bounds the memory of a page to some 100 KB."""

WRITE_SECONDS: Final = 3.5
TAKE_BACK_SECONDS: Final = 1.0
"""How long rows are written, and taken back when they cannot be written, for a client that waits.
No request begins later: the function answers before its own ten seconds are over."""

LOOK_UP_SECONDS: Final = 2.0
"""How long keys are looked up that DynamoDB leaves unprocessed."""

REMOVE_SECONDS: Final = 6.0
"""How long a removal is tried; no client waits for it."""


class Page(NamedTuple):
    """Some connections of one partition, and where the next page begins, unless it was the last.

    `absent` are the ids of those that have no row.
    """

    connections: tuple[Connection, ...]
    next: ShardCursor | None
    absent: frozenset[str] = frozenset()


class ConnectionsTable:
    """Adds, removes and reads the rows of connections."""

    def __init__(
        self, client: "DynamoDBClient", name: str, *, clock: Clock, jitter: Jitter
    ) -> None:
        self._client = client
        self._name = name
        self._rows = RowBatches(client, name)
        self._patience = Patience(clock, jitter)

    def add(self, client: ConnectingClient) -> None:
        """Write all rows of a client that connects; writing them again changes nothing.

        They go in one request, and those that are left unprocessed go again. Raises WriteError when
        they are not all there in the end: those that may have been written are then deleted, unless
        that fails, too. Such a row is deleted after the next 410, or expires.
        """
        rows, name = rows_of(client), client.connection.id
        try:
            self._patience.until_all(self._rows.put, rows, ends_at=self._in(WRITE_SECONDS))
        except WriteError as error:
            taken_back = self._take_back([key_of_item(row) for row in rows])
            raise WriteError(f"no rows for connection {name}: {error}{taken_back}") from error

    def remove(self, connection_id: str, *, user: str | None = None) -> None:
        """Delete all rows of a connection, as far as there are any. Raises WriteError.

        The row of everyone's broadcasts goes first, then the one that says what else there is, then
        that. A crash in between leaves rows that the next 410 deletes, or the user's row alone,
        which expires. `user` is whose connection it is, if that is known: it is needed when the
        answer is lost that says so.
        """
        ends_at = self._in(REMOVE_SECONDS)
        try:
            self._remove_row(connection_key(connection_id), ends_at)
            others = set(other_keys(self._remove_row(self_key(connection_id), ends_at)))
            if user is not None:
                others.add(user_key(user, connection_id))
            self._patience.until_all(self._rows.delete, sorted(others), ends_at=ends_at)
        except WriteError as error:
            raise WriteError(f"rows of {connection_id} not deleted: {error}") from error

    def remove_batch(self, connection_ids: Sequence[str], *, stream: str = EVERYONE) -> list[str]:
        """Delete all rows of up to 25 connections; return the ids of those that still have some.

        `stream` is that of the broadcast that found them gone: the row by which it found them goes,
        too, whether or not another row names it. The rows that only `self` tells go first, then all
        others: a crash in between leaves the row that brought the connection here, and what tells
        its others, for the next 410 or, when just one of these two is left, for that or the expiry.
        Raises StorageError when DynamoDB refuses a request; some rows may be deleted then. An
        eventually consistent read is enough: a connection that counts as gone is a minute old.
        """
        found, unread = self._rows.read([self_key(one) for one in connection_ids])
        told = {key_of_item(item): other_keys(item) for item in found}
        known = [one for one in connection_ids if self_key(one) not in unread]
        others = {key: one for one in known for key in told.get(self_key(one), ())}
        others |= {
            key: one for one in known if (key := row_key(stream, one)) != connection_key(one)
        }
        stuck = {others[key] for key in self._rows.delete(others)}
        known = [one for one in known if one not in stuck]
        last = {self_key(one): one for one in known if self_key(one) in told}
        last |= {connection_key(one): one for one in known}
        stuck |= {last[key] for key in self._rows.delete(last)}
        return [one for one in connection_ids if one in stuck or self_key(one) in unread]

    def page(self, cursor: ShardCursor, now_ms: int) -> Page:
        """Read up to 1,000 rows of a partition, leaving out those that have expired.

        The read is strongly consistent: a connection whose `$connect` was answered is not missed.
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

        Those without a row, and those that have expired, are `absent`. The read is strongly
        consistent. Raises ReadError.
        """
        first = ids.index(after) + 1 if after is not None else 0
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

        try:
            self._patience.until_all(read, keys, ends_at=self._in(LOOK_UP_SECONDS))
        except WriteError as error:  # what is left again and again
            raise ReadError(f"listed connections not looked up: {error}") from error
        return rows

    def _take_back(self, keys: list[Key]) -> str:
        """Delete what may have been written of a client; return what to say when that fails."""
        try:
            self._patience.until_all(self._rows.delete, keys, ends_at=self._in(TAKE_BACK_SECONDS))
        except WriteError as error:
            return f"; some may be there until they expire: {error}"
        return ""

    def _remove_row(self, key: Key, ends_at: float) -> Item:
        """Delete a row; return what it was, empty when there was none. Raises WriteError."""
        return self._patience.until_done(lambda: self._rows.delete_one(key), ends_at=ends_at)

    def _in(self, seconds: float) -> float:
        """Return when `seconds` from now are over, on the monotonic clock."""
        return self._patience.clock.monotonic() + seconds
