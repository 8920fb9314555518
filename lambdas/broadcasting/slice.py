"""A slice: the piece of a broadcast that one invocation carries.

A broadcast starts as one slice of all shards. What an invocation leaves undone becomes slices
again, which travel as JSON on the internal slice queue.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

from broadcasting.audience import LATEST_MS, SHARDS, Connection, require_count, require_text
from broadcasting.errors import RejectedError

MAX_HOPS = 1_000
"""How often a broadcast may be handed over: far more than a million connections need."""

MAX_CONNECTIONS = 3_000
"""How many connections one slice names: with the largest frame, each byte of it escaped to
six, it still fits into the 1 MiB of an SQS message."""


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
class Slice:
    """Whom to send one frame: the rest of some shards, and connections by their ids.

    `sent_at` is when the broadcast was opened, in epoch milliseconds; `hops` counts how often
    it was handed over.
    """

    broadcast_id: str
    frame: str
    sent_at: int
    shards: tuple[ShardCursor, ...] = ()
    connections: tuple[Connection, ...] = ()
    hops: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be carried. Raises ValueError."""
        require_text("broadcast_id", self.broadcast_id)
        require_text("frame", self.frame)
        require_count("sent_at", self.sent_at, most=LATEST_MS)
        require_count("hops", self.hops, most=MAX_HOPS + 1)  # so that parse_slice says why
        if len({cursor.shard for cursor in self.shards}) < len(self.shards):
            raise ValueError("a shard is named twice")
        if len({connection.id for connection in self.connections}) < len(self.connections):
            raise ValueError("a connection is named twice")

    def hand_over(
        self, shards: tuple[ShardCursor, ...], connections: tuple[Connection, ...]
    ) -> Iterator["Slice"]:
        """Yield what is left of this slice as slices of a size that the queue takes."""
        rest = replace(self, shards=(), connections=(), hops=self.hops + 1)
        if shards:
            yield replace(rest, shards=shards)
        for unique in _without_repeats(connections):
            for start in range(0, len(unique), MAX_CONNECTIONS):
                yield replace(rest, connections=unique[start : start + MAX_CONNECTIONS])


def _without_repeats(connections: tuple[Connection, ...]) -> Iterator[tuple[Connection, ...]]:
    """Part connections so that no part has an id twice: two rows may have the same id."""
    seen = Counter[str]()
    parts = defaultdict[int, list[Connection]](list)
    for connection in connections:
        seen[connection.id] += 1
        parts[seen[connection.id]].append(connection)
    yield from map(tuple, parts.values())


def open_slice(broadcast_id: str, frame: str, sent_at: int) -> Slice:
    """Return the slice that a broadcast to everyone starts as."""
    shards = tuple(ShardCursor(shard) for shard in range(SHARDS))
    return Slice(broadcast_id, frame, sent_at, shards=shards)


def encode_slice(piece: Slice) -> str:
    """Return the body of the SQS message that carries a slice; ASCII, as SQS refuses some text."""
    return json.dumps(asdict(piece), separators=(",", ":"))


def parse_slice(body: str) -> Slice:
    """Parse what `encode_slice` wrote.

    Raises RejectedError when it is anything else, or was handed over more than 1,000 times.
    """
    try:
        fields: dict[str, Any] = json.loads(body)
        shards = tuple(ShardCursor(**cursor) for cursor in fields.pop("shards"))
        connections = tuple(Connection(**one) for one in fields.pop("connections"))
        piece = Slice(shards=shards, connections=connections, **fields)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise RejectedError(
            f"not a slice: {error}; the slice queue is internal, send broadcasts to the "
            "broadcast queue"
        ) from error
    if piece.hops > MAX_HOPS:
        raise RejectedError(f"handed over more than {MAX_HOPS} times without coming to an end")
    return piece
