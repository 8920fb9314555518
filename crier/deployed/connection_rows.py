"""The rows of single connections and users: read, removed, and written to keep a user out."""

import random
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from broadcasting.connection import LATEST_MS
from broadcasting.connection_row import CONNECTED_AT, connection_key
from broadcasting.door_rows import denied_item, ticket_item
from broadcasting.items import EXPIRY, PARTITION_KEY, SORT_KEY, Key, key_attributes
from broadcasting.items import Item as NewItem
from broadcasting.retry import Backoff
from broadcasting.self_row import other_keys
from broadcasting.user_rows import partition_of_user, self_key, user_key
from crier.deployed.deployment import Deployment
from crier.deployed.row_values import Item, UnreadableRow, number, read_row
from crier.deployed.self_rows import NO_SELF_ROW, SELF_NAMES, self_row_of
from crier.deployed.table_reader import TableReader
from crier.errors import CrierError, explained

_BACKOFF = Backoff(tries=8)
_BATCH = 25
"""As many rows as DynamoDB writes at once.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html
"""

_TICKET_BYTES = 32
"""What the authorizer takes a ticket to have."""

_NO_KEY: Key = self_key("")
"""The key of no row: no connection's id is empty."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the rows of a connection tell; rows that have expired count, too.

    `user` is None when no row names one, `channels` are those that it has subscribed to;
    `unreadable` is the row that names them and cannot be read. `connected_ms` and `expires_ms` are
    None when no row tells. `has_rows` is whether there is any row, `is_in_audience` whether there
    is the one by which broadcasts to everyone find the connection.
    """

    id: str
    user: str | None = None
    channels: tuple[str, ...] = ()
    unreadable: UnreadableRow | None = None
    connected_ms: int | None = None
    expires_ms: int | None = None
    has_rows: bool = False
    is_in_audience: bool = False


class ConnectionRows:
    """The connections table of a stack. Each method raises CrierError when DynamoDB refuses.

    `wait` waits for some seconds, and returns True when nothing is to be tried again any more.
    """

    def __init__(
        self,
        client: Any,
        table_name: str,
        *,
        wait: Callable[[float], bool],
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._client = client
        self._table_name = table_name
        self._wait = wait
        self._jitter = jitter
        self._rows = TableReader(client, table_name, epoch_seconds=lambda: 0)  # expired ones, too

    @classmethod
    def of(cls, deployment: Deployment, *, wait: Callable[[float], bool]) -> "ConnectionRows":
        """Return the rows of a stack."""
        return cls(deployment.client("dynamodb"), deployment.connections_table_name, wait=wait)

    def find(self, connection_id: str) -> Known:
        """Return what is known of a connection."""
        keys = [connection_key(connection_id), self_key(connection_id)]
        found = {
            (row[PARTITION_KEY]["S"], row[SORT_KEY]["S"]): row
            for row in self._rows.get_all(keys, (CONNECTED_AT, *SELF_NAMES))
        }
        audience, own = (found.get(key) for key in keys)
        told = read_row(own, self_row_of) if own else NO_SELF_ROW
        user, channels = NO_SELF_ROW if isinstance(told, UnreadableRow) else told
        return Known(
            connection_id,
            user=user,
            channels=channels,
            unreadable=told if isinstance(told, UnreadableRow) else None,
            connected_ms=_readable(audience, connected_ms_of),
            expires_ms=_readable(audience or own, expires_ms_of),
            has_rows=bool(found),
            is_in_audience=audience is not None,
        )

    def of_user(self, user: str) -> Iterator[Known]:
        """Yield the connections of a user, also those whose rows have expired."""
        for row in self._rows.query(partition_of_user(user), "", (CONNECTED_AT,)):
            yield Known(
                row[SORT_KEY]["S"],
                user=user,
                connected_ms=_readable(row, connected_ms_of),
                expires_ms=_readable(row, expires_ms_of),
                has_rows=True,
            )

    def remove(self, connection_id: str, user: str | None) -> None:
        """Delete all rows of a connection, those that are not there, too.

        First the row of the audience: a subscription that is under way, and does not find it,
        takes back what it has written. Last the one that lists all others: what is interrupted
        here can be done again.
        """
        what, own_key = f"the rows of {connection_id} were not removed", self_key(connection_id)
        self._delete([connection_key(connection_id)], what)
        others = [
            key for own in self._rows.get_all([own_key], SELF_NAMES) for key in other_keys(own)
        ]
        listed = [] if user is None else [user_key(user, connection_id)]
        self._delete(list(dict.fromkeys([*others, *listed])), what)
        self._delete([own_key], what)

    def check_removal(self) -> None:
        """Look for, and delete, a row that cannot be there: rows can be removed if this succeeds.

        Raises CrierError.
        """
        list(self._rows.get_all([_NO_KEY], SELF_NAMES))
        self._delete([_NO_KEY], "rows of the connections table cannot be removed")

    def check_listing(self, user: str) -> None:
        """Look for a connection of a user: all can be listed when this raises no error."""
        next(self.of_user(user), None)

    def deny(self, user: str, expires_seconds: int) -> None:
        """Keep a user out until a time in epoch seconds, in place of what was said before."""
        self._put(denied_item(user, expires_seconds), f"user {user} was not denied")

    def new_ticket(self, *, user: str, channels: Sequence[str] | None, expires_seconds: int) -> str:
        """Return a new ticket once its row is written; the row has a hash of it only.

        `channels` is None where the stack's `openChannels` say which are allowed.
        """
        ticket = secrets.token_urlsafe(_TICKET_BYTES)
        item = ticket_item(ticket, user=user, channels=channels, expires_seconds=expires_seconds)
        self._put(item, "no ticket was written")
        return ticket

    def _put(self, item: NewItem, what: str) -> None:
        with explained(what):
            self._client.put_item(TableName=self._table_name, Item=item)

    def _delete(self, keys: Sequence[Key], what: str) -> None:
        for start in range(0, len(keys), _BATCH):
            self._delete_some(keys[start : start + _BATCH], what)

    def _delete_some(self, keys: Sequence[Key], what: str) -> None:
        """Delete rows by one request, and again those that DynamoDB has left undone."""
        requests = [{"DeleteRequest": {"Key": key_attributes(key)}} for key in keys]
        for tries in range(1, _BACKOFF.tries + 1):
            with explained(what):
                answer = self._client.batch_write_item(RequestItems={self._table_name: requests})
            requests = answer.get("UnprocessedItems", {}).get(self._table_name, [])
            if not requests:
                return
            if self._wait(_BACKOFF.seconds(tries, self._jitter())):
                break
        raise CrierError(f"{what}: DynamoDB has left {len(requests)} of them, try again later")


def connected_ms_of(row: Item) -> int:
    """Return when the connection of a row was made. Raises ValueError."""
    return number(row, CONNECTED_AT)


def expires_ms_of(row: Item) -> int:
    """Return when a row expires, in epoch milliseconds. Raises ValueError."""
    seconds = number(row, EXPIRY)
    if seconds > LATEST_MS // 1000:
        raise ValueError(f"{EXPIRY} is {seconds}, expected epoch seconds")
    return seconds * 1000


def _readable(row: Item | None, read: Callable[[Item], int]) -> int | None:
    """Return a number of a row, None when there is none that can be read."""
    found = None if row is None else read_row(row, read)
    return found if isinstance(found, int) else None
