"""The connections table: the rows of each connection, written and deleted.

`audience_pages` reads them for a broadcast.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from broadcasting.audience import EVERYONE, row_key
from broadcasting.clock import Clock, Jitter
from broadcasting.connecting_client import ConnectingClient, rows_of
from broadcasting.connection_row import connection_key
from broadcasting.items import Item, Key
from broadcasting.self_row import other_keys
from broadcasting.user_rows import self_key, user_key
from storage.errors import WriteError
from storage.patience import Patience
from storage.row_batches import RowBatches, key_of_item

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

WRITE_SECONDS: Final = 3.5
TAKE_BACK_SECONDS: Final = 1.0
"""How long rows are written, and taken back when they cannot be written, for a client that waits.
No request begins later: the function answers before its own ten seconds are over."""

REMOVE_SECONDS: Final = 6.0
"""How long a removal is tried; no client waits for it."""


class ConnectionsTable:
    """Adds and removes the rows of connections."""

    def __init__(
        self, client: "DynamoDBClient", name: str, *, clock: Clock, jitter: Jitter
    ) -> None:
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
        too, whether or not another row names it. The other rows that only `self` tells go first,
        then the row by which it was found, the one of everyone's broadcasts, and `self`: a crash
        in between leaves what brings the connection here again, and what tells its others, for the
        next 410 or, when some of the last ones are left, for that or the expiry. Raises
        StorageError when DynamoDB refuses a request; some rows may be deleted then. An eventually
        consistent read is enough: a connection that counts as gone is a minute old.
        """
        found, unread = self._rows.read([self_key(one) for one in connection_ids])
        told = {key_of_item(item): other_keys(item) for item in found}
        known = [one for one in connection_ids if self_key(one) not in unread]
        others = {key: one for one in known for key in told.get(self_key(one), ())}
        for one in known:
            others.pop(row_key(stream, one), None)
        stuck = {others[key] for key in self._rows.delete(others)}
        known = [one for one in known if one not in stuck]
        last = {self_key(one): one for one in known if self_key(one) in told}
        last |= {connection_key(one): one for one in known}
        last |= {row_key(stream, one): one for one in known}
        stuck |= {last[key] for key in self._rows.delete(last)}
        return [one for one in connection_ids if one in stuck or self_key(one) in unread]

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
