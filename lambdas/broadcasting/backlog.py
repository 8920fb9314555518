"""What is still to do for a slice: shards to read on, and connections to post to."""

import json
import zlib
from dataclasses import dataclass

from broadcasting.audience import SHARDS, Connection, require_text

_PLAIN_BYTES = 1024
"""Up to here it is not worth compressing: DynamoDB charges for whole KB."""

_FAST = 1


@dataclass(frozen=True, slots=True)
class ShardCursor:
    """A shard still to read, beginning after the connection id `after`, or at its start."""

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
    """Shards that are not read to their end, and connections that have been met but not ended."""

    shards: tuple[ShardCursor, ...] = ()
    connections: tuple[Connection, ...] = ()

    def __post_init__(self) -> None:
        """Refuse work that would be done twice. Raises ValueError."""
        if len({cursor.shard for cursor in self.shards}) < len(self.shards):
            raise ValueError("a shard is named twice")

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left."""
        return not self.shards and not self.connections


ALL_SHARDS = Backlog(tuple(ShardCursor(shard) for shard in range(SHARDS)))
"""All there is to do for a broadcast to everyone."""


def encode_backlog(work: Backlog) -> bytes:
    """Return work as JSON, lists in place of names: it is written after every page.

    Compressed when it is long: what is written is paid for by the KB, and as many connections as
    are ever under way must fit into a row.
    """
    shards = [(one.shard, one.after) for one in work.shards]
    connections = [(one.id, one.connected_at, one.rounds) for one in work.connections]
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
    except (TypeError, RecursionError, zlib.error) as error:
        raise ValueError(f"not the work of a slice: {error}") from error
