"""The keys of two rows that a connection may have beside its row for all broadcasts.

One stands among the connections of its user. The other, its `self` row, says by the connection's id
whose it is, and on which channels.
"""

from typing import Final

from broadcasting.door_rows import SELF
from broadcasting.items import Key

_USER: Final = "user#"
_CONNECTION: Final = "connection#"


def partition_of_user(user: str) -> str:
    """Return the partition key of all connections of a user."""
    return f"{_USER}{user}"


def user_key(user: str, connection_id: str) -> Key:
    """Return the key of a connection among those of its user."""
    return partition_of_user(user), connection_id


def self_key(connection_id: str) -> Key:
    """Return the key of the row that says which other rows a connection has."""
    return f"{_CONNECTION}{connection_id}", SELF


def connection_id_of(key: Key) -> str:
    """Return the connection whose `self_key` a key is."""
    return key[0].removeprefix(_CONNECTION)
