"""Slices: what they are made of, how they travel, and what is no slice."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broadcasting.audience import LATEST_MS, SHARDS, Connection
from broadcasting.errors import RejectedError
from broadcasting.frame import MAX_FRAME_BYTES
from broadcasting.slice import (
    MAX_CONNECTIONS,
    MAX_HOPS,
    ShardCursor,
    Slice,
    encode_slice,
    open_slice,
    parse_slice,
)

TEXT = st.text(min_size=1)
SLICES = st.builds(
    Slice,
    broadcast_id=TEXT,
    frame=TEXT,
    sent_at=st.integers(0, LATEST_MS),
    shards=st.lists(
        st.builds(ShardCursor, st.integers(0, SHARDS - 1), st.none() | TEXT),
        max_size=SHARDS,
        unique_by=lambda cursor: cursor.shard,
    ).map(tuple),
    connections=st.lists(
        st.builds(Connection, TEXT, st.integers(0, LATEST_MS), st.integers(0, 3)),
        max_size=5,
        unique_by=lambda connection: connection.id,
    ).map(tuple),
    hops=st.integers(0, MAX_HOPS),
)
FORGED: list[dict[str, Any]] = [
    {"hops": "many"},
    {"hops": None},
    {"hops": -1},
    {"hops": True},
    {"frame": None},
    {"frame": 1},
    {"broadcast_id": 7},
    {"sent_at": "now"},
    {"shards": [{"shard": "0", "after": None}]},
    {"shards": [{"shard": SHARDS, "after": None}]},
    {"shards": [{"shard": -1, "after": None}]},
    {"shards": [{"shard": 0, "after": 5}]},
    {"shards": [{"shard": 0, "after": None}] * 2},
    {"shards": [{"shard": [], "after": None}]},
    {"connections": [{"id": 1, "connected_at": 0, "rounds": 0}]},
    {"connections": [{"id": "a", "connected_at": "x", "rounds": 0}]},
    {"connections": [{"id": "a", "connected_at": 0, "rounds": "x"}]},
]


def _connection(**fields: object) -> dict[str, object]:
    return {"id": "a", "connected_at": 0, "rounds": 0} | fields


@given(SLICES)
def test_slice_survives_its_journey(piece: Slice) -> None:
    """What is encoded is parsed again; the body is ASCII."""
    body = encode_slice(piece)

    assert body.isascii()
    assert parse_slice(body) == piece


def test_slice_opens_on_every_shard() -> None:
    """A broadcast starts as one slice of all shards, from their start."""
    piece = open_slice("b", "f", 1)

    assert [cursor.shard for cursor in piece.shards] == list(range(SHARDS))
    assert {cursor.after for cursor in piece.shards} == {None}
    assert (piece.connections, piece.hops) == ((), 0)


def test_slice_hands_over_in_sizes_the_queue_takes() -> None:
    """Shards travel in one slice, connections 5,000 at a time, each once."""
    piece = open_slice("b", "f", 1)
    connections = tuple(Connection(str(number), 0) for number in range(MAX_CONNECTIONS + 1))

    shards, first, second = piece.hand_over(piece.shards, connections)

    assert (shards.shards, shards.connections) == (piece.shards, ())
    assert (*first.connections, *second.connections) == connections
    assert (first.shards, len(first.connections)) == ((), MAX_CONNECTIONS)
    assert {one.hops for one in (shards, first, second)} == {1}


def test_slice_hands_over_an_id_twice_in_two_slices() -> None:
    """Two rows may have the same id: both are accounted for, and each slice can be parsed."""
    connections = tuple(Connection(name, 0, 1) for name in ("a", "a", "b", "a", "b", "c"))

    pieces = list(open_slice("b", "f", 1).hand_over((), connections))

    assert [[one.id for one in piece.connections] for piece in pieces] == [
        ["a", "b", "c"],
        ["a", "b"],
        ["a"],
    ]
    assert [parse_slice(encode_slice(piece)) for piece in pieces] == pieces


def test_slice_hands_over_nothing_when_nothing_is_left() -> None:
    """No empty slice travels."""
    assert list(open_slice("b", "f", 1).hand_over((), ())) == []


def test_slice_fits_into_one_sqs_message_when_it_is_the_largest() -> None:
    """The worst frame and 5,000 connections stay under 1 MiB."""
    frame = '"' * (128 * 1024)
    connections = tuple(Connection(f"{number:016}", 10**13, 3) for number in range(MAX_CONNECTIONS))

    assert len(encode_slice(Slice("b" * 64, frame, 10**13, (), connections, 999))) < 2**20


@pytest.mark.parametrize(
    "body",
    [
        "",
        "x",
        "null",
        "1",
        "[]",
        "{}",
        '{"message": "hi"}',
        '{"shards": 1, "connections": []}',
        '{"shards": [], "connections": [1]}',
        '{"shards": [{}], "connections": []}',
        '{"shards": [], "connections": []}',
        "[" * 200_000,
    ],
)
def test_slice_is_rejected_when_it_is_something_else(body: str) -> None:
    """The queue is internal: the reason says where broadcasts belong."""
    with pytest.raises(RejectedError, match="broadcast queue"):
        parse_slice(body)


def test_slice_is_rejected_when_a_key_is_unknown() -> None:
    """A key that no slice has means that we did not write it."""
    fields = json.loads(encode_slice(open_slice("b", "f", 1))) | {"extra": 1}

    with pytest.raises(RejectedError, match="not a slice"):
        parse_slice(json.dumps(fields))


@pytest.mark.parametrize("forged", FORGED, ids=json.dumps)
def test_slice_is_rejected_when_a_value_is_forged(forged: dict[str, Any]) -> None:
    """A wrong slice cannot exist."""
    fields = json.loads(encode_slice(open_slice("b", "f", 1))) | forged

    with pytest.raises(RejectedError):
        parse_slice(json.dumps(fields))


@pytest.mark.parametrize(
    ("forged", "reason"),
    [
        ({"frame": "\ud800"}, "frame holds a lone surrogate"),
        ({"broadcast_id": "a\udfff"}, "broadcast_id holds a lone surrogate"),
        ({"shards": [{"shard": 0, "after": "\ud800"}]}, "after holds a lone surrogate"),
        ({"connections": [_connection(id="\ud800")]}, "connection id holds a lone surrogate"),
        ({"connections": [_connection(), _connection(rounds=1)]}, "a connection is named twice"),
        ({"connections": [_connection(connected_at=10**400)]}, "connected_at is 10+, expected"),
        ({"connections": [_connection(connected_at=LATEST_MS + 1)]}, f"0 to {LATEST_MS}"),
        ({"connections": [_connection(rounds=101)]}, "rounds is 101, expected"),
        ({"sent_at": LATEST_MS + 1}, f"0 to {LATEST_MS}"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_slice_is_rejected_with_what_no_invocation_could_carry(
    forged: dict[str, Any], reason: str
) -> None:
    """It ends in the dead-letter queue at once, and says why."""
    fields = json.loads(encode_slice(open_slice("b", "f", 1))) | forged

    with pytest.raises(RejectedError, match=f"not a slice: .*{reason}"):
        parse_slice(json.dumps(fields))


def test_slice_is_rejected_when_it_comes_to_no_end() -> None:
    """1,000 hops are taken, one more is not."""
    last = Slice("b", "f", 1, hops=MAX_HOPS)
    (over,) = last.hand_over((ShardCursor(0),), ())

    assert parse_slice(encode_slice(last)) == last
    with pytest.raises(RejectedError, match="more than 1000 times"):
        parse_slice(encode_slice(over))


def test_slice_fits_into_a_queue_message_at_its_largest() -> None:
    """The frame that grows most when it is escaped leaves room for all the ids."""
    piece = Slice("b" * 64, "\x7f" * MAX_FRAME_BYTES, 1_767_225_600_000)
    connections = tuple(
        Connection(f"L0SM9cO{number:08}=", 1_767_225_600_000, 3)
        for number in range(MAX_CONNECTIONS + 1)
    )

    rest = next(piece.hand_over((), connections))

    assert len(rest.connections) == MAX_CONNECTIONS
    assert len(encode_slice(rest).encode()) <= 1024 * 1024
