"""What is still to do for a slice: partitions to read on, and connections to post to."""

import json
import zlib
from dataclasses import dataclass
from typing import Any

from broadcasting.audience import Audience
from broadcasting.connection import SHARDS, Connection, require_text
from broadcasting.connection_row import partition_of

_PLAIN_BYTES = 1024
"""Up to this size compression saves nothing: DynamoDB charges for whole KB."""

_FAST = 1


_VERSION = 2
"""Of the encoding. The first has no version, and numbers in place of the partitions of everyone: it
is still written where it will do, as it is shorter."""

_NUMBERS = {partition_of(shard): shard for shard in range(SHARDS)}


@dataclass(frozen=True, slots=True)
class ShardCursor:
    """A partition that is still to read, from after the connection id `after`, or from its start.

    It is one shard of an audience; an audience that is not sharded has one.
    """

    partition: str
    after: str | None = None

    def __post_init__(self) -> None:
        """Refuse a partition without a name. Raises ValueError."""
        require_text("partition", self.partition)
        if self.after is not None:
            require_text("after", self.after)


@dataclass(frozen=True, slots=True)
class Backlog:
    """Shards that are not read to their end, and connections that were met and have not ended."""

    shards: tuple[ShardCursor, ...] = ()
    connections: tuple[Connection, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a shard that would be read twice. Raises ValueError."""
        if len({cursor.partition for cursor in self.shards}) < len(self.shards):
            raise ValueError("a shard is named twice")

    @property
    def is_empty(self) -> bool:
        """Whether nothing is pending."""
        return not self.shards and not self.connections


def whole_backlog(audience: Audience) -> Backlog:
    """Return all that is to do for a broadcast to an audience."""
    return Backlog(tuple(map(ShardCursor, audience.partitions)))


ALL_SHARDS = whole_backlog(Audience())
"""All that is to do for a broadcast to everyone."""


def encode_backlog(backlog: Backlog) -> bytes:
    """Return a backlog as JSON with lists in place of names, compressed when it is long.

    It is written after every page and paid for by the KB, and all connections that may be under way
    at once must fit into a row.
    """
    connections = [(one.id, one.connected_at, one.rounds) for one in backlog.connections]
    if all(one.partition in _NUMBERS for one in backlog.shards):
        numbers = [(_NUMBERS[one.partition], one.after) for one in backlog.shards]
        written: list[Any] = [numbers, connections]
    else:
        written = [_VERSION, [(one.partition, one.after) for one in backlog.shards], connections]
    plain = json.dumps(written, separators=(",", ":")).encode()
    return plain if len(plain) <= _PLAIN_BYTES else zlib.compress(plain, _FAST)


def parse_backlog(encoded: bytes) -> Backlog:
    """Parse what `encode_backlog` wrote, of any version. Raises ValueError for anything else."""
    try:
        is_plain = encoded.startswith(b"[")
        found = json.loads(encoded if is_plain else zlib.decompress(encoded))
        shards, connections = _partitions(found)
        return Backlog(
            tuple(ShardCursor(*one) for one in shards),
            tuple(Connection(*one) for one in connections),
        )
    except (AttributeError, TypeError, RecursionError, zlib.error) as error:
        raise ValueError(f"not the backlog of a slice: {error}") from error


def _partitions(found: Any) -> tuple[Any, Any]:
    """Return what a backlog of any version holds: cursors of partitions, and connections."""
    if len(found) == 2:  # noqa: PLR2004 - the first version: shards of everyone, connections
        shards, connections = found
        return [(_partition_of_number(one[0]), *one[1:]) for one in shards], connections
    version, shards, connections = found
    if version != _VERSION:
        raise ValueError(f"version is {version!r}, expected up to {_VERSION}: a later release's")
    return shards, connections


def _partition_of_number(shard: Any) -> str:
    if type(shard) is not int or not 0 <= shard < SHARDS:
        raise ValueError(f"shard is {shard!r}, expected 0 to {SHARDS - 1}")
    return partition_of(shard)
