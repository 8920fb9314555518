"""The keys of the two rows that a user's connection has beside its row for all broadcasts.

One stands among the connections of its user, the other says by the connection's id whose it is.
"""

from typing import Final

from broadcasting.connection_row import connection_key
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
    """Return the key of the row that says whose a connection is."""
    return f"{_CONNECTION}{connection_id}", SELF


def connection_id_of(key: Key) -> str:
    """Return the connection whose `self_key` a key is."""
    return key[0].removeprefix(_CONNECTION)


def keys_of(connection_id: str, user: str | None) -> list[Key]:
    """Return the keys of all rows that a connection may have; `user` is None if none is known."""
    keys = [connection_key(connection_id), self_key(connection_id)]
    return keys if user is None else [*keys, user_key(user, connection_id)]
