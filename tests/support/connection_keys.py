"""The keys of the rows that `$connect` writes for a connection."""

from broadcasting.connection_row import connection_key
from broadcasting.items import Key
from broadcasting.user_rows import self_key, user_key


def keys_of(connection_id: str, user: str | None) -> list[Key]:
    """Return the keys of all rows but those of channels; `user` is None if none is known."""
    keys = [connection_key(connection_id), self_key(connection_id)]
    return keys if user is None else [*keys, user_key(user, connection_id)]
