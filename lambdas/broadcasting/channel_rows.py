"""The rows of the connections that are subscribed to a channel: four shards for each channel."""

import zlib
from typing import Final

from broadcasting.connection import Connection
from broadcasting.connection_row import CONNECTED_AT
from broadcasting.items import EXPIRY, Item, Key, attribute_of, key_attributes

CHANNEL_SHARDS: Final = 4
"""How many partitions hold the rows of one channel."""

_CHANNEL: Final = "channel#"


def channel_partitions(channel: str) -> tuple[str, ...]:
    """Return the partition keys of all connections of a channel."""
    return tuple(_partition(channel, shard) for shard in range(CHANNEL_SHARDS))


def channel_key(channel: str, connection_id: str) -> Key:
    """Return the key of a connection in a channel: it follows from the two names alone."""
    shard = zlib.crc32(connection_id.encode()) % CHANNEL_SHARDS
    return _partition(channel, shard), connection_id


def channel_item(channel: str, connection: Connection, expires_seconds: int) -> Item:
    """Return the row of a connection in a channel; it is of no use after `expires_seconds`."""
    return {
        **key_attributes(channel_key(channel, connection.id)),
        CONNECTED_AT: attribute_of(connection.connected_at),
        EXPIRY: attribute_of(expires_seconds),
    }


def _partition(channel: str, shard: int) -> str:
    return f"{_CHANNEL}{channel}#{shard}"
