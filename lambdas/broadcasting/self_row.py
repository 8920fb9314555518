"""The row that says which other rows a connection has: of its user, and of its channels.

It stands under the connection's id, and is read when the connection is gone: what it lists has to
be deleted with it.
"""

from broadcasting import checks
from broadcasting.channel_rows import channel_key
from broadcasting.door_rows import CHANNELS, USER
from broadcasting.items import PARTITION_KEY, Item, Key
from broadcasting.user_rows import connection_id_of, user_key


def user_of(item: Item) -> str | None:
    """Read whose connection a `self` row is of, however malformed: None when it does not say."""
    user = item.get(USER, {}).get("S")
    return None if user is None or checks.USER(user) else user


def channels_of(item: Item) -> list[str]:
    """Read the channels of a `self` row, sorted, however malformed: without those that are none."""
    return sorted(one for one in item.get(CHANNELS, {}).get("SS", ()) if not checks.CHANNEL(one))


def other_keys(item: Item) -> list[Key]:
    """Return the keys of all rows that a `self` row lists; none for an item that is empty."""
    if not item:
        return []
    connection_id = connection_id_of((item[PARTITION_KEY]["S"], ""))
    user = user_of(item)
    of_channels = [channel_key(one, connection_id) for one in channels_of(item)]
    return of_channels if user is None else [user_key(user, connection_id), *of_channels]
