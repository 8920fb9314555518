"""What is still to do for a slice: shards to read on, and connections to post to."""

import json
import zlib
from dataclasses import dataclass

from broadcasting.audience import SHARDS, Connection, require_text

_PLAIN_BYTES = 1024
"""Up to this size compression saves nothing: DynamoDB charges for whole KB."""

_FAST = 1


@dataclass(frozen=True, slots=True)
class ShardCursor:
    """A shard that is still to read, from after the connection id `after`, or from its start."""

    shard: int
    after: str | None = None

    def __post_init__(self) -> None:
        """Refuse a shard that does not exist. Raises ValueError."""
        if type(self.shard) is not int or not 0 <= self.shard < SHARDS:
            raise ValueError(f"shard is {self.shard!r}, expected 0 to {SHARDS - 1}")
        if self.after is not None:
            require_text("after", self.after)


@dataclass(frozen=True, slots=True)
class Backlog:
    """Shards that are not read to their end, and connections that were met and have not ended."""

    shards: tuple[ShardCursor, ...] = ()
    connections: tuple[Connection, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a shard that would be read twice. Raises ValueError."""
        if len({cursor.shard for cursor in self.shards}) < len(self.shards):
            raise ValueError("a shard is named twice")

    @property
    def is_empty(self) -> bool:
        """Whether nothing is pending."""
        return not self.shards and not self.connections


ALL_SHARDS = Backlog(tuple(ShardCursor(shard) for shard in range(SHARDS)))
"""All that is to do for a broadcast to all connections."""


def encode_backlog(backlog: Backlog) -> bytes:
    """Return a backlog as JSON with lists in place of names, compressed when it is long.

    It is written after every page and paid for by the KB, and all connections that may be under way
    at once must fit into a row.
    """
    shards = [(one.shard, one.after) for one in backlog.shards]
    connections = [(one.id, one.connected_at, one.rounds) for one in backlog.connections]
    plain = json.dumps([shards, connections], separators=(",", ":")).encode()
    return plain if len(plain) <= _PLAIN_BYTES else zlib.compress(plain, _FAST)


def parse_backlog(encoded: bytes) -> Backlog:
    """Parse what `encode_backlog` wrote. Raises ValueError when it is anything else."""
    try:
        is_plain = encoded.startswith(b"[")
        shards, connections = json.loads(encoded if is_plain else zlib.decompress(encoded))
        return Backlog(
            tuple(ShardCursor(*one) for one in shards),
            tuple(Connection(*one) for one in connections),
        )
    except (AttributeError, TypeError, RecursionError, zlib.error) as error:
        raise ValueError(f"not the backlog of a slice: {error}") from error
