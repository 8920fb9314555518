"""The rows of connections that are gone, deleted by a real client's requests."""

import json
from collections.abc import Callable, Iterator

import pytest

from broadcasting.audience import EVERYONE, row_key
from broadcasting.channel_rows import channel_item, channel_key
from broadcasting.connecting_client import ConnectingClient
from broadcasting.connection import Connection
from broadcasting.connection_row import connection_key
from broadcasting.items import Key
from broadcasting.user_rows import self_key, user_key
from storage.connections import (
    ConnectionsTable,
)
from storage.errors import ReadError, StorageError, WriteError
from storage.row_batches import key_of_item
from testbed.model.fakes import NOW_MS
from tests.support.connection_keys import keys_of
from tests.support.wire_table import Crash, WireTable, clients_of, ids_of, rows_of_clients

ODD_USERS = ("a#b#", "🦊" * 128, "x" * 128, 'q"uo\\te', "ü b")

ALICE = ConnectingClient(Connection("abc=", NOW_MS), "alice")


@pytest.fixture
def wire() -> WireTable:
    """The wire, and the rows behind it."""
    return WireTable()


@pytest.fixture
def swept(wire: WireTable) -> Iterator[ConnectionsTable]:
    """The table, as the broadcast function has it."""
    with wire.table(plainly=True) as table:
        yield table


@pytest.mark.parametrize(
    ("users", "requests"),
    [
        ([None], [("BatchGetItem", 1), ("BatchWriteItem", 1)]),
        ([None] * 25, [("BatchGetItem", 25), ("BatchWriteItem", 25)]),
        (["a"], [("BatchGetItem", 1), ("BatchWriteItem", 1), ("BatchWriteItem", 2)]),
        (
            [None] * 20 + ["a"] * 5,
            [("BatchGetItem", 25), *(("BatchWriteItem", rows) for rows in (5, 25, 5))],
        ),
        (
            [*ODD_USERS] * 5,
            [("BatchGetItem", 25), *(("BatchWriteItem", 25) for _ in range(3))],
        ),
    ],
)
def test_clean_up_deletes_all_rows_of_gone_connections(
    wire: WireTable,
    swept: ConnectionsTable,
    users: list[str | None],
    requests: list[tuple[str, int]],
) -> None:
    """Two requests where no connection has a user; the rows of live connections stay."""
    gone = clients_of(users)
    live = [ConnectingClient(Connection("live=", NOW_MS), user) for user in ("a", "b")]
    wire.rows = rows_of_clients(*gone, *live)

    assert swept.remove_batch(ids_of(gone)) == []

    assert wire.rows == rows_of_clients(*live)
    assert wire.requests == requests


def test_clean_up_asks_for_the_users_rows_in_a_cheap_way(wire: WireTable) -> None:
    """Half a read unit for each: a strong read would cost twice as much, and find the same."""
    with wire.table() as table:
        table.remove_batch(["a"])

    (asked,) = json.loads(wire.bodies[0])["RequestItems"].values()
    assert not asked["ConsistentRead"]


@pytest.mark.parametrize("kind", ["unprocessed", "half", "throttle", "break", "lose"])
@pytest.mark.parametrize("at", [0, 1, 2, 3])
def test_clean_up_is_whole_when_it_is_tried_again(
    wire: WireTable, swept: ConnectionsTable, at: int, kind: str
) -> None:
    """A fault at each of its requests: what it names has rows, what it does not name has none."""
    clients = clients_of([*["alice"] * 10, *[None] * 5, "bob"])
    wire.rows, ids = rows_of_clients(*clients), ids_of(clients)
    wire.faults = [*[None] * at, kind]

    left = _tried(swept, ids)
    for client in clients:
        name = client.connection.id
        if left is not None and name not in left:
            assert not set(keys_of(name, client.user)) & set(wire.rows)

    assert left is None or not left or set(wire.rows)
    assert _tried(swept, ids if left is None else left) == []
    assert wire.rows == {}


def _tried(table: ConnectionsTable, ids: list[str]) -> list[str] | None:
    """Return the ids that are left, None when a request has failed."""
    try:
        return table.remove_batch(ids)
    except StorageError:
        return None


@pytest.mark.parametrize(
    "faults", [["unprocessed"] * 5, ["half"] * 12, ["half", "lose", "unprocessed", "half", "break"]]
)
def test_clean_up_ends_when_faults_come_again_and_again(
    wire: WireTable, swept: ConnectionsTable, faults: list[str]
) -> None:
    """Each time the ids that are left are given to the next try."""
    clients = clients_of(["alice", None, "bob"] * 8)
    wire.rows, wire.faults, left = rows_of_clients(*clients), list(faults), ids_of(clients)

    for _ in range(len(faults) + 1):
        tried = _tried(swept, left) if left else []
        left = left if tried is None else tried

    assert (left, wire.rows) == ([], {})


@pytest.mark.parametrize("at", range(4))
@pytest.mark.parametrize("fault", ["before", "after", "half then before"])
def test_crash_of_the_clean_up_leaves_what_the_next_410_deletes(
    wire: WireTable, swept: ConnectionsTable, at: int, fault: str
) -> None:
    """No user's row is left without what tells of it, and the connection is met again."""
    clients = clients_of(["alice"] * 15)
    wire.rows = rows_of_clients(*clients)
    calm = [None] * at
    wire.faults = [*calm, "half", "before"] if fault.startswith("half") else [*calm, fault]

    with pytest.raises(Crash):
        _sweep_twice(swept, ids_of(clients))

    for name in ids_of(clients):
        if user_key("alice", name) in wire.rows:
            assert {self_key(name), connection_key(name)} <= set(wire.rows)
    met = [name for name in ids_of(clients) if connection_key(name) in wire.rows]
    alone = [name for name in ids_of(clients) if self_key(name) in wire.rows and name not in met]
    assert not alone
    assert not met or swept.remove_batch(met) == []
    assert {key for key in wire.rows if key[0].startswith(("all#", "user#"))} == set()


def _sweep_twice(table: ConnectionsTable, ids: list[str], stream: str = EVERYONE) -> None:
    for _ in range(2):
        table.remove_batch(ids, stream=stream)


def test_clean_up_deletes_no_row_of_a_connection_that_it_could_not_look_up(
    wire: WireTable, swept: ConnectionsTable
) -> None:
    """Its user's row would stay, and no broadcast to everyone would find it again."""
    clients = clients_of(["alice"] * 4)
    wire.rows, wire.faults = rows_of_clients(*clients), ["half"]

    left = swept.remove_batch(ids_of(clients))

    assert left == ids_of(clients)[2:]
    assert wire.rows == rows_of_clients(*clients[2:])


def test_clean_up_that_is_refused_says_so(wire: WireTable, swept: ConnectionsTable) -> None:
    """A permission is missing: nothing is deleted, and nothing is tried for long."""
    wire.rows = before = rows_of_clients(ALICE)
    wire.always = {"read": "refuse"}
    with pytest.raises(ReadError, match="1 rows of the connections table not read"):
        swept.remove_batch(["abc="])

    wire.always = {"delete": "refuse"}
    with pytest.raises(WriteError, match="1 rows of the connections table"):
        swept.remove_batch(["abc="])

    assert wire.rows == before
    assert wire.time.seconds == 0


STREAMS = ("news", "user#alice", "!", "*")


def _subscribed(wire: WireTable, *, with_self: bool) -> list[str]:
    """Write rows of three connections: of all, of a user, and of channels; return their ids."""
    clients = clients_of(["alice"] * 3)
    for client in clients:
        expires = client.rows_expire_at
        for channel in ("news", "sport"):
            row = channel_item(channel, client.connection, expires)
            wire.rows[key_of_item(row)] = row
        wire.rows |= rows_of_clients(client)
        itself = self_key(client.connection.id)
        wire.rows[itself] = wire.rows[itself] | {"channels": {"SS": ["news", "sport"]}}
        if not with_self:
            del wire.rows[itself]
    return ids_of(clients)


@pytest.mark.parametrize("stream", STREAMS)
def test_clean_up_deletes_all_rows_that_a_connection_has(
    wire: WireTable, swept: ConnectionsTable, stream: str
) -> None:
    """Of its user and of its channels, by whichever row it was found: one look-up, two writes."""
    ids = _subscribed(wire, with_self=True)

    assert swept.remove_batch(ids, stream=stream) == []

    assert wire.rows == {}
    assert [operation for operation, _ in wire.requests] == ["BatchGetItem"] + [
        "BatchWriteItem"
    ] * 2


@pytest.mark.parametrize(("stream", "found_by"), [("news", channel_key), ("user#alice", user_key)])
def test_clean_up_deletes_the_row_that_nothing_else_tells_of(
    wire: WireTable,
    swept: ConnectionsTable,
    stream: str,
    found_by: Callable[[str, str], Key],
) -> None:
    """`self` is gone: the row by which the broadcast has found it goes, with that of everyone."""
    ids = _subscribed(wire, with_self=False)
    before = set(wire.rows)

    assert swept.remove_batch(ids, stream=stream) == []

    name = stream.removeprefix("user#")
    gone = {found_by(name, one) for one in ids} | {connection_key(one) for one in ids}
    assert before - set(wire.rows) == gone
    assert wire.requests == [("BatchGetItem", 3), ("BatchWriteItem", 6)]


@pytest.mark.parametrize("at", range(3))
@pytest.mark.parametrize("fault", ["before", "after", "half then before"])
@pytest.mark.parametrize("stream", STREAMS)
def test_crash_of_the_clean_up_leaves_what_the_next_broadcast_of_the_stream_deletes(
    wire: WireTable, swept: ConnectionsTable, stream: str, fault: str, at: int
) -> None:
    """It finds them by the same row; a row that only `self` told of is not left without it."""
    ids = _subscribed(wire, with_self=True)
    calm = [None] * at
    wire.faults = [*calm, "half", "before"] if fault.startswith("half") else [*calm, fault]

    with pytest.raises(Crash):
        _sweep_twice(swept, ids, stream)

    met = [one for one in ids if row_key(stream, one) in wire.rows]
    for one in ids:
        told = {channel_key("sport", one), channel_key("news", one), user_key("alice", one)}
        if set(wire.rows) & (told - {row_key(stream, one)}):
            assert {self_key(one), row_key(stream, one)} <= set(wire.rows)
    assert not met or swept.remove_batch(met, stream=stream) == []
    assert not {key for key in wire.rows if key[0].startswith(("channel#", "user#"))}


@pytest.mark.parametrize("stream", STREAMS)
def test_clean_up_of_a_stream_is_whole_when_rows_are_left_unprocessed(
    wire: WireTable, swept: ConnectionsTable, stream: str
) -> None:
    """The ids that have rows are given back until none has any."""
    left = _subscribed(wire, with_self=True)
    wire.faults = [None, "half", None, None, "half", "unprocessed"]

    for _ in range(6):
        left = swept.remove_batch(left, stream=stream) if left else left

    assert (left, wire.rows) == ([], {})
