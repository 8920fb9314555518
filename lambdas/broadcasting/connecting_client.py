"""A client that connects, and the rows that are written for it.

| row                      | key                     | of                                         |
|--------------------------|-------------------------|--------------------------------------------|
| of everyone's broadcasts | `all#<shard>`, the id   | each connection: the id alone says its key |
| of its user's broadcasts | `user#<user>`, the id   | a connection of a user                     |
| of the connection itself | `connection#<id>`, self | the same: says which other rows there are  |
"""

from dataclasses import dataclass

from broadcasting import checks
from broadcasting.connection import LATEST_MS, Connection, expires_at, require_count
from broadcasting.connection_row import connection_item
from broadcasting.door_rows import USER
from broadcasting.items import EXPIRY, Item, attribute_of, key_attributes
from broadcasting.user_rows import self_key, user_key


@dataclass(frozen=True, slots=True)
class ConnectingClient:
    """A client that connects: its connection, whose it is, and until when it may receive.

    `user` is None for an anonymous client. `expires_seconds` is when what it was let in by expires,
    in epoch seconds; None when that says nothing. Raises ValueError for what is no user's name, and
    for a time that is over when the client connects.
    """

    connection: Connection
    user: str | None = None
    expires_seconds: int | None = None

    def __post_init__(self) -> None:
        """Refuse a client that no row can be written for."""
        expected = "" if self.user is None else checks.USER(self.user)
        if expected:
            raise ValueError(f"user is no user's name, {expected}")
        if self.expires_seconds is None:
            return
        require_count("expires_seconds", self.expires_seconds, most=LATEST_MS // 1000)
        if self.expires_seconds <= self.connection.connected_at // 1000:
            raise ValueError(f"expires_seconds is {self.expires_seconds}, expected a time to come")

    @property
    def rows_expire_at(self) -> int:
        """The time after which its rows are of no use, in epoch seconds."""
        return expires_at(self.connection.connected_at, self.expires_seconds)


def rows_of(client: ConnectingClient) -> list[Item]:
    """Return all rows of a client that connects: one when it is anonymous, three for a user's."""
    connection, user = client.connection, client.user
    expiry = {EXPIRY: attribute_of(client.rows_expire_at)}
    row = connection_item(connection) | expiry
    if user is None:
        return [row]
    itself = key_attributes(self_key(connection.id)) | {USER: attribute_of(user)} | expiry
    return [row, row | key_attributes(user_key(user, connection.id)), itself]
