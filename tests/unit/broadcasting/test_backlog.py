"""What is to be done for a slice: what it is made of, how it is kept, and what is none."""

import base64
import json
from random import Random
from typing import Any

import pytest
from hypothesis import given

from broadcasting.audience import LATEST_MS, SHARDS, Connection
from broadcasting.backlog import ALL_SHARDS, Backlog, ShardCursor, encode_backlog, parse_backlog
from tests.support.strategies import WORKS

A = Connection("a", 1)


@given(WORKS)
def test_work_survives_being_written_down(work: Backlog) -> None:
    """What is encoded is parsed again."""
    assert parse_backlog(encode_backlog(work)) == work


def test_work_is_plain_as_long_as_it_is_short() -> None:
    """So that it can be read where it is kept."""
    work = Backlog((ShardCursor(3, "b"),), (A,))

    assert encode_backlog(work) == b'[[[3,"b"]],[["a",1,0]]]'


def test_work_begins_with_every_shard_at_its_start() -> None:
    """A broadcast to everyone reads all shards."""
    assert [cursor.shard for cursor in ALL_SHARDS.shards] == list(range(SHARDS))
    assert {cursor.after for cursor in ALL_SHARDS.shards} == {None}
    assert ALL_SHARDS.connections == ()


@pytest.mark.parametrize(
    ("work", "is_empty"),
    [(Backlog(), True), (Backlog((ShardCursor(0),)), False), (Backlog(connections=(A,)), False)],
)
def test_work_is_done_when_nothing_is_left(work: Backlog, *, is_empty: bool) -> None:
    """Neither a shard nor a connection."""
    assert work.is_empty is is_empty


def test_work_names_a_connection_twice_when_it_was_met_twice() -> None:
    """Two rows may have the same id: both are accounted for."""
    work = Backlog(connections=(A, A))

    assert parse_backlog(encode_backlog(work)) == work


def test_work_fits_into_a_row_when_as_many_as_possible_are_under_way() -> None:
    """A worker of four threads holds some 12,800 connections, and 2,000 stragglers."""
    chance = Random(1)  # noqa: S311 - ids that cannot be compressed, the same ones each time
    connections = tuple(
        Connection(
            base64.b64encode(chance.randbytes(11)).decode(),
            1_767_225_600_000 + chance.randrange(7_200_000),
            chance.randrange(4),
        )
        for _ in range(14_800)
    )
    work = Backlog(ALL_SHARDS.shards, connections)

    encoded = encode_backlog(work)

    assert parse_backlog(encoded) == work
    assert len(encoded) < 300 * 1024


@pytest.mark.parametrize(
    ("shards", "connections", "reason"),
    [
        ([["0", None]], [], "shard is '0', expected 0 to 15"),
        ([[SHARDS, None]], [], "shard is 16"),
        ([[-1, None]], [], "shard is -1"),
        ([[True, None]], [], "shard is True"),
        ([[0, 5]], [], "after is 5"),
        ([[0, ""]], [], "after is ''"),
        ([[0, "\ud800"]], [], "after holds a lone surrogate"),
        ([[0, None], [0, "a"]], [], "a shard is named twice"),
        ([[0, None, 1]], [], "not the work of a slice"),
        ([0], [], "not the work of a slice"),
        ([], [["a"]], "not the work of a slice"),
        ([], [[1, 0, 0]], "connection id is 1"),
        ([], [["\ud800", 0, 0]], "connection id holds a lone surrogate"),
        ([], [["a", "x", 0]], "connected_at is 'x'"),
        ([], [["a", LATEST_MS + 1, 0]], f"0 to {LATEST_MS}"),
        ([], [["a", 0, "x"]], "rounds is 'x'"),
        ([], [["a", 0, 101]], "rounds is 101"),
    ],
)
def test_work_is_refused_when_it_cannot_be_done(
    shards: list[Any], connections: list[Any], reason: str
) -> None:
    """Wrong work cannot exist, and says why."""
    with pytest.raises(ValueError, match=reason):
        parse_backlog(json.dumps([shards, connections]).encode())


@pytest.mark.parametrize(
    "encoded",
    [b"", b"x", b"null", b"1", b"{}", b"[]", b"[[]]", b"[1, 2]", b"[" * 100_000, b"x\x9c", b"\xff"],
)
def test_work_is_refused_when_it_is_something_else(encoded: bytes) -> None:
    """Whatever stands in the row, it is one kind of error."""
    with pytest.raises(ValueError, match=r".+"):
        parse_backlog(encoded)
