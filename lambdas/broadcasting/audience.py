"""Whom a broadcast is for: everyone, a channel, a user, or connections by their ids.

| audience    | its stream    | channel in a frame | its connections are read from            |
|-------------|---------------|--------------------|------------------------------------------|
| everyone    | `*`           | `*`                | 16 partitions                            |
| a channel   | its name      | its name           | 4 partitions                             |
| a user      | `user#<user>` | `@`                | one partition                            |
| connections | `!`           | `!`                | the list of ids, each looked up by itself |

The broadcasts of one stream are numbered together.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from broadcasting import checks
from broadcasting.channel_rows import channel_key, channel_partitions
from broadcasting.connection import SHARDS
from broadcasting.connection_row import connection_key, partition_of
from broadcasting.items import Key
from broadcasting.user_rows import partition_of_user, user_key

EVERYONE: Final = "*"
"""The channel that every connection is on."""

OWN: Final = "@"
"""The channel that a client's own stream has in its frames: it names no user."""

LISTED: Final = "!"
"""The stream, and the only partition, of broadcasts to connections by their ids."""

MOST_IDS: Final = 1_000

_USER: Final = "user#"
_WHOLE: Final = tuple(partition_of(shard) for shard in range(SHARDS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """Everyone; or those of a channel, of a user, or of up to 1,000 ids; but for `exclude`.

    Raises ValueError for what no producer may ask for.
    """

    channel: str | None = None
    user: str | None = None
    connections: tuple[str, ...] = ()
    exclude: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        """Refuse names that do not exist, too many ids, and two audiences at once."""
        if (self.channel is not None) + (self.user is not None) + bool(self.connections) > 1:
            raise ValueError("found two audiences, expected at most one")
        if self.channel is not None and (wrong := checks.CHANNEL(self.channel)):
            raise ValueError(f"channel: {wrong}")
        if self.user is not None and (wrong := checks.USER(self.user)):
            raise ValueError(f"user: {wrong}")
        for ids in (self.connections, self.exclude):
            if wrong := checks.ids(0, MOST_IDS)(list(ids)):
                raise ValueError(wrong)

    @property
    def stream(self) -> str:
        """The name under which the ledger numbers its broadcasts."""
        if self.user is not None:
            return stream_of_user(self.user)
        return self.channel or (LISTED if self.connections else EVERYONE)

    @property
    def partitions(self) -> tuple[str, ...]:
        """The partitions that its connections are read from."""
        if self.connections:
            return (LISTED,)
        if self.user is not None:
            return (partition_of_user(self.user),)
        return _WHOLE if self.channel is None else channel_partitions(self.channel)

    @property
    def content(self) -> dict[str, Any]:
        """What tells it apart from any other audience, as `content_of` returns it."""
        said = {"channel": self.channel, "user": self.user}
        ids = {"connections": self.connections, "exclude": self.exclude}
        return content_of({name: one for name, one in said.items() if one is not None} | ids)


def stream_of_user(user: str) -> str:
    """Return the stream of a user's broadcasts; no channel's name has a `#`."""
    return f"{_USER}{user}"


def user_of_stream(stream: str) -> str | None:
    """Return the user whose stream it is; None when it is not a user's."""
    return stream.removeprefix(_USER) if stream.startswith(_USER) else None


def channel_in_frame(stream: str) -> str:
    """Return the channel that the frames of a stream name."""
    return OWN if user_of_stream(stream) is not None else stream


def words_of(stream: str) -> str:
    """Return whom the broadcasts of a stream are for, as people say it."""
    if stream in (EVERYONE, LISTED):
        return "everyone" if stream == EVERYONE else "listed connections"
    user = user_of_stream(stream)
    return f"channel {stream}" if user is None else f"user {user}"


def row_key(stream: str, connection_id: str) -> Key:
    """Return the key of the row by which a broadcast of a stream finds a connection."""
    user = user_of_stream(stream)
    if user is not None:
        return user_key(user, connection_id)
    if stream in (EVERYONE, LISTED):
        return connection_key(connection_id)
    return channel_key(stream, connection_id)


def content_of(request: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a message says of its audience, also when it is wrong, for its digest.

    Lists of ids are in one order, each id once. Empty when the message is for everyone.
    """
    said = {name: request[name] for name in ("channel", "user") if name in request}
    ids = {
        name: sorted(set(request[name])) for name in ("connections", "exclude") if request.get(name)
    }
    return said | ids
