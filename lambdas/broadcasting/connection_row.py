"""The row of a connection: it stands under its id in the partition of its shard."""

from contextlib import suppress

from broadcasting.connection import Connection, expires_at, shard_of
from broadcasting.items import EXPIRY, SORT_KEY, Item, Key, attribute_of, key_attributes

CONNECTED_AT = "connectedAt"
"""The attribute that has the time of `$connect`, in epoch milliseconds."""


def partition_of(shard: int) -> str:
    """Return the partition key of all rows of a shard."""
    return f"all#{shard}"


def connection_key(connection_id: str) -> Key:
    """Return the key of a connection's row: it follows from the id alone."""
    return partition_of(shard_of(connection_id)), connection_id


def connection_item(connection: Connection) -> Item:
    """Return the row of a connection, with the time after which it is of no use."""
    return {
        **key_attributes(connection_key(connection.id)),
        CONNECTED_AT: attribute_of(connection.connected_at),
        EXPIRY: attribute_of(expires_at(connection.connected_at)),
    }


def connection_of(item: Item) -> Connection | None:
    """Read a row, however malformed: None for a row without a usable id.

    A row without a usable time is that of an old connection, which can still be posted to.
    """
    try:
        return Connection(item[SORT_KEY]["S"], int(item[CONNECTED_AT]["N"]))
    except (KeyError, ValueError):
        with suppress(KeyError, ValueError):
            return Connection(item[SORT_KEY]["S"], 0)
        return None


def has_expired(item: Item, now_ms: int) -> bool:
    """Tell whether a row is of no use any more: DynamoDB deletes it days later.

    A row without an end counts as expired, as it does for a query that leaves expired rows out.
    """
    return float(item.get(EXPIRY, {}).get("N", "0")) <= now_ms // 1000
