"""What is to be done for a slice: what it is made of, how it is kept, and what is none."""

import base64
import json
from random import Random
from typing import Any

import pytest
from hypothesis import given

from broadcasting.audience import Audience
from broadcasting.backlog import (
    ALL_SHARDS,
    Backlog,
    ShardCursor,
    encode_backlog,
    parse_backlog,
    whole_backlog,
)
from broadcasting.connection import LATEST_MS, SHARDS, Connection
from tests.support.strategies import BACKLOGS

A = Connection("a", 1)


@given(BACKLOGS)
def test_backlog_survives_being_written_down(backlog: Backlog) -> None:
    """What is encoded is parsed again."""
    assert parse_backlog(encode_backlog(backlog)) == backlog


def test_backlog_is_plain_as_long_as_it_is_short() -> None:
    """A person can read it where it is kept."""
    backlog = Backlog((ShardCursor("all#3", "b"),), (A,))

    assert encode_backlog(backlog) == b'[[[3,"b"]],[["a",1,0]]]'


def test_backlog_says_its_version_when_it_names_other_partitions() -> None:
    """A release that knows none but everyone's cannot read it, and does not try to."""
    backlog = Backlog((ShardCursor("channel#news#3", "b"), ShardCursor("all#1")), (A,))

    encoded = encode_backlog(backlog)

    assert encoded == b'[2,[["channel#news#3","b"],["all#1",null]],[["a",1,0]]]'
    assert parse_backlog(encoded) == backlog


def test_backlog_is_refused_when_a_later_release_wrote_it() -> None:
    """Its version is not known: what it asks for is not guessed."""
    with pytest.raises(ValueError, match="version is 3, expected up to 2"):
        parse_backlog(b"[3,[],[]]")


@pytest.mark.parametrize(
    ("audience", "partitions"),
    [
        (Audience(), [f"all#{shard}" for shard in range(SHARDS)]),
        (Audience(channel="news"), [f"channel#news#{shard}" for shard in range(4)]),
        (Audience(user="alice"), ["user#alice"]),
        (Audience(connections=("a=",)), ["!"]),
    ],
)
def test_backlog_of_an_audience_begins_with_its_partitions(
    audience: Audience, partitions: list[str]
) -> None:
    """All of them, from their starts."""
    assert whole_backlog(audience) == Backlog(tuple(map(ShardCursor, partitions)))


def test_backlog_begins_with_every_shard_at_its_start() -> None:
    """A broadcast to all connections reads all shards."""
    partitions = [cursor.partition for cursor in ALL_SHARDS.shards]
    assert partitions == [f"all#{shard}" for shard in range(SHARDS)]
    assert {cursor.after for cursor in ALL_SHARDS.shards} == {None}
    assert ALL_SHARDS.connections == ()


@pytest.mark.parametrize(
    ("backlog", "is_empty"),
    [
        (Backlog(), True),
        (Backlog((ShardCursor("all#0"),)), False),
        (Backlog(connections=(A,)), False),
    ],
)
def test_backlog_is_done_when_nothing_is_left(backlog: Backlog, *, is_empty: bool) -> None:
    """It has neither a shard nor a connection."""
    assert backlog.is_empty is is_empty


def test_backlog_names_a_connection_twice_when_it_was_met_twice() -> None:
    """Two rows may have the same id: both are accounted for."""
    backlog = Backlog(connections=(A, A))

    assert parse_backlog(encode_backlog(backlog)) == backlog


def test_backlog_fits_into_a_row_when_as_many_as_possible_are_under_way() -> None:
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
    backlog = Backlog(ALL_SHARDS.shards, connections)

    encoded = encode_backlog(backlog)

    assert parse_backlog(encoded) == backlog
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
        ([[0, None, 1]], [], "not the backlog of a slice"),
        ([0], [], "not the backlog of a slice"),
        ([], [["a"]], "not the backlog of a slice"),
        ([], [[1, 0, 0]], "connection id is 1"),
        ([], [["\ud800", 0, 0]], "connection id holds a lone surrogate"),
        ([], [["a", "x", 0]], "connected_at is 'x'"),
        ([], [["a", LATEST_MS + 1, 0]], f"0 to {LATEST_MS}"),
        ([], [["a", 0, "x"]], "rounds is 'x'"),
        ([], [["a", 0, 101]], "rounds is 101"),
    ],
)
def test_backlog_is_refused_when_it_cannot_be_done(
    shards: list[Any], connections: list[Any], reason: str
) -> None:
    """A wrong backlog cannot exist; the error says why."""
    with pytest.raises(ValueError, match=reason):
        parse_backlog(json.dumps([shards, connections]).encode())


@pytest.mark.parametrize(
    "encoded",
    [b"", b"x", b"null", b"1", b"{}", b"[]", b"[[]]", b"[1, 2]", b"[" * 100_000, b"x\x9c", b"\xff"],
)
def test_backlog_is_refused_when_it_is_something_else(encoded: bytes) -> None:
    """Anything else in the row raises one kind of error."""
    with pytest.raises(ValueError, match=r".+"):
        parse_backlog(encoded)


def test_backlog_is_refused_when_it_is_of_another_type() -> None:
    """A number or a text in the row raises the same kind of error."""
    for attribute in (7, "[[],[]]"):
        with pytest.raises(ValueError, match="not the backlog of a slice"):
            parse_backlog(attribute)  # type: ignore[arg-type]
