"""The rows of connections that come and go, by a real client's requests."""

from collections.abc import Iterator
from typing import Any

import pytest

from broadcasting.connecting_client import ConnectingClient, rows_of
from broadcasting.connection import Connection
from broadcasting.items import Item, Key
from broadcasting.user_rows import self_key, user_key
from storage.connections import (
    REMOVE_SECONDS,
    TAKE_BACK_SECONDS,
    WRITE_SECONDS,
    ConnectionsTable,
)
from storage.errors import WriteError
from storage.row_batches import key_of_item
from testbed.model.fakes import NOW_MS
from tests.support.wire_table import Crash, WireTable, rows_of_clients

ALICE = ConnectingClient(Connection("abc=", NOW_MS), "alice")
ANONYMOUS = ConnectingClient(Connection("abc=", NOW_MS))
ODD_USERS = ("a#b#", "🦊" * 128, "x" * 128, 'q"uo\\te', "ü b")
PASSING = ("throttle", "break", "unprocessed", "half", "lose")


@pytest.fixture
def wire() -> WireTable:
    """The wire, and the rows behind it."""
    return WireTable()


@pytest.fixture
def table(wire: WireTable) -> Iterator[ConnectionsTable]:
    """The table, as connect and disconnect have it."""
    with wire.table() as table:
        yield table


@pytest.fixture
def swept(wire: WireTable) -> Iterator[ConnectionsTable]:
    """The table, as the broadcast function has it."""
    with wire.table(plainly=True) as table:
        yield table


@pytest.mark.parametrize(
    "client", [ANONYMOUS, *(ConnectingClient(ALICE.connection, user) for user in ODD_USERS)]
)
def test_client_has_all_rows_after_one_request(
    wire: WireTable, table: ConnectionsTable, client: ConnectingClient
) -> None:
    """One write for an anonymous client, three for a user's, whatever the user's name."""
    table.add(client)
    table.add(client)

    assert wire.rows == rows_of_clients(client)
    assert wire.requests == [("BatchWriteItem", len(wire.rows))] * 2


@pytest.mark.parametrize("faults", [*([kind] for kind in PASSING), list(PASSING), ["half"] * 2])
@pytest.mark.parametrize("client", [ANONYMOUS, ALICE])
def test_client_is_let_in_when_a_fault_passes(
    wire: WireTable, table: ConnectionsTable, client: ConnectingClient, faults: list[str]
) -> None:
    """The same write again, and of those that were given back only these."""
    wire.faults = list(faults)

    table.add(client)

    assert wire.rows == rows_of_clients(client)
    assert len(wire.requests) == len(faults) + 1
    assert 0 < wire.time.seconds < WRITE_SECONDS


def test_rows_that_are_given_back_are_written_alone(
    wire: WireTable, table: ConnectionsTable
) -> None:
    """What is done is not done again."""
    wire.faults = ["half", "half"]

    table.add(ALICE)

    assert [rows for _, rows in wire.requests] == [3, 2, 1]


@pytest.mark.parametrize("kind", [*PASSING, "refuse"])
@pytest.mark.parametrize("client", [ANONYMOUS, ALICE])
def test_refused_client_has_no_row(
    wire: WireTable, table: ConnectionsTable, client: ConnectingClient, kind: str
) -> None:
    """Part of its rows was written, or all without an answer: it is taken back."""
    wire.faults, wire.always = ["half"], {"put": kind}

    with pytest.raises(WriteError, match="no rows for connection abc="):
        table.add(client)

    assert wire.rows == {}
    assert wire.time.seconds <= WRITE_SECONDS
    assert wire.requests[-1] == ("BatchWriteItem", len(rows_of(client)))


@pytest.mark.parametrize("kind", PASSING)
def test_rows_are_taken_back_when_a_fault_passes(
    wire: WireTable, table: ConnectionsTable, kind: str
) -> None:
    """Deleting them is tried again as writing them is."""
    wire.faults, wire.always = ["half", "refuse", kind], {}

    with pytest.raises(WriteError) as caught:
        table.add(ALICE)

    assert wire.rows == {}
    assert "some may be there" not in str(caught.value)


@pytest.mark.parametrize("kind", [*PASSING, "refuse"])
def test_refused_client_waits_some_seconds_when_nothing_works(
    wire: WireTable, table: ConnectionsTable, kind: str
) -> None:
    """The error says that rows may be there: they expire, or are deleted after a 410."""
    wire.faults, wire.always = ["half"], {"put": kind, "delete": kind}

    with pytest.raises(WriteError, match=r"abc=.*; some may be there until they expire: "):
        table.add(ALICE)

    assert wire.time.seconds <= WRITE_SECONDS + TAKE_BACK_SECONDS
    assert len(wire.requests) < 40


def test_write_that_is_refused_is_not_tried_again(wire: WireTable, table: ConnectionsTable) -> None:
    """A permission that is missing is missing a second later, too."""
    wire.always = {"put": "refuse"}

    with pytest.raises(WriteError, match="AccessDeniedException"):
        table.add(ALICE)

    assert wire.requests == [("BatchWriteItem", 3)] * 2
    assert wire.time.seconds == 0


@pytest.mark.parametrize("fault", ["before", "after"])
def test_crash_of_connect_leaves_all_rows_or_none(
    wire: WireTable, table: ConnectionsTable, fault: str
) -> None:
    """The client is refused. A broadcast finds its connection gone, and deletes the rows."""
    wire.faults = [fault]

    with pytest.raises(Crash):
        table.add(ALICE)

    assert wire.rows == ({} if fault == "before" else rows_of_clients(ALICE))


@pytest.mark.parametrize(
    ("client", "requests"),
    [
        (ANONYMOUS, [("DeleteItem", 1), ("DeleteItem", 1)]),
        (ALICE, [("DeleteItem", 1), ("DeleteItem", 1), ("BatchWriteItem", 1)]),
        *(
            (
                ConnectingClient(ALICE.connection, user),
                [("DeleteItem", 1), ("DeleteItem", 1), ("BatchWriteItem", 1)],
            )
            for user in ODD_USERS
        ),
    ],
)
def test_disconnect_leaves_no_row(
    wire: WireTable,
    table: ConnectionsTable,
    client: ConnectingClient,
    requests: list[tuple[str, int]],
) -> None:
    """Of another connection of the same user all stay."""
    other = ConnectingClient(Connection("other=", NOW_MS), client.user)
    wire.rows = rows_of_clients(client, other)

    table.remove(client.connection.id)

    assert wire.rows == rows_of_clients(other)
    assert wire.requests == requests


def test_disconnect_twice_changes_nothing(wire: WireTable, table: ConnectionsTable) -> None:
    """The second finds no row that names a user."""
    wire.rows = rows_of_clients(ALICE)

    table.remove("abc=")
    table.remove("abc=")

    assert wire.rows == {}
    assert [operation for operation, _ in wire.requests[3:]] == ["DeleteItem"] * 2


@pytest.mark.parametrize("kind", PASSING)
@pytest.mark.parametrize("at", [0, 1, 2])
def test_disconnect_leaves_no_row_when_a_fault_passes(
    wire: WireTable, table: ConnectionsTable, at: int, kind: str
) -> None:
    """At each of its requests, also when the answer is lost that names the user."""
    wire.rows = rows_of_clients(ALICE)
    wire.faults = [*[None] * at, kind]

    table.remove("abc=", user="alice")

    assert wire.rows == {}


def test_disconnect_leaves_the_users_row_to_its_end_when_it_cannot_know_the_user(
    wire: WireTable, table: ConnectionsTable
) -> None:
    """The answer that names the user is lost, and the event names none."""
    wire.rows = rows_of_clients(ALICE)
    wire.faults = [None, "lose"]

    table.remove("abc=")

    assert set(wire.rows) == {user_key("alice", "abc=")}


def test_disconnect_deletes_what_the_row_and_the_event_name(
    wire: WireTable, table: ConnectionsTable
) -> None:
    """Should these differ, both are of this connection."""
    bob = ConnectingClient(ALICE.connection, "bob")
    wire.rows = rows_of_clients(bob, ALICE)

    table.remove("abc=", user="bob")

    assert wire.rows == {}
    assert wire.requests[-1] == ("BatchWriteItem", 2)


@pytest.mark.parametrize(
    ("at", "kind"),
    [
        *((at, kind) for at in (0, 1, 2) for kind in ("throttle", "break", "lose", "refuse")),
        *((2, kind) for kind in ("unprocessed", "half")),
    ],
)
def test_disconnect_says_so_when_rows_stay(
    wire: WireTable, table: ConnectionsTable, at: int, kind: str
) -> None:
    """It ends by itself; what stays is found by the next broadcast, or expires."""
    wire.rows = rows_of_clients(ALICE)
    wire.faults, wire.always = [None] * at, {"delete": kind}

    with pytest.raises(WriteError, match="rows of abc= not deleted: "):
        table.remove("abc=")

    assert wire.time.seconds <= REMOVE_SECONDS


@pytest.mark.parametrize("request_seconds", [0.5, 1.5, 2.0, 2.5])
@pytest.mark.parametrize("at", [0, 1, 2])
def test_disconnect_ends_in_time_when_answers_are_slow(
    wire: WireTable, table: ConnectionsTable, at: int, request_seconds: float
) -> None:
    """No request begins once its time is over, the first one of a row neither."""
    wire.rows = rows_of_clients(ALICE)
    wire.request_seconds = request_seconds
    wire.faults, wire.always = ["lose"] * 2 + [None] * at, {"delete": "lose"}

    with pytest.raises(WriteError, match="rows of abc= not deleted: "):
        table.remove("abc=")

    assert wire.time.seconds <= REMOVE_SECONDS + request_seconds


@pytest.mark.parametrize(
    ("deaths", "left"),
    [
        ([None, "before"], {self_key("abc="), user_key("alice", "abc=")}),
        (["after"], {self_key("abc="), user_key("alice", "abc=")}),
        ([None, "after"], {user_key("alice", "abc=")}),
        ([None, None, "before"], {user_key("alice", "abc=")}),
        ([None, None, "after"], set()),
    ],
)
def test_crash_of_disconnect_leaves_rows_that_end(
    wire: WireTable, table: ConnectionsTable, deaths: list[str | None], left: set[Key]
) -> None:
    """Everyone's broadcasts read none of them; a user's finds a 410, and all of them expire."""
    wire.rows, wire.faults = rows_of_clients(ALICE), deaths

    with pytest.raises(Crash):
        table.remove("abc=")

    assert set(wire.rows) == left
    assert all("expiresAt" in row for row in wire.rows.values())


def test_disconnect_before_the_last_write_of_connect_leaves_rows_that_the_next_410_deletes(
    wire: WireTable, table: ConnectionsTable, swept: ConnectionsTable
) -> None:
    """The writes of a connect go on after the client has left."""
    wire.faults = ["half"]
    pause = wire.time.run

    def leave(seconds: float) -> None:
        pause(seconds)
        table.remove("abc=")

    with wire.table(sleep=leave) as slow:
        slow.add(ALICE)

    left = set(wire.rows)
    assert left == {self_key("abc="), user_key("alice", "abc=")}
    assert swept.remove_batch(["abc="]) == []
    assert wire.rows == {}


ODD_SELVES: list[Any] = [
    {},
    {"user": {"N": "5"}},
    {"user": {"B": "eA=="}},
    {"user": {"S": "a\nb"}},
    {"user": {"S": "x" * 129}},
]


@pytest.mark.parametrize("odd", ODD_SELVES)
def test_malformed_self_row_is_deleted(
    wire: WireTable, table: ConnectionsTable, swept: ConnectionsTable, odd: Item
) -> None:
    """By disconnect, and by the clean-up: it names no user whose row could be deleted."""
    everyones, _, itself = rows_of(ALICE)
    key = {"pk": itself["pk"], "sk": itself["sk"]}
    wire.rows = {key_of_item(row): row for row in (everyones, {**key, **odd})}
    again = dict(wire.rows)

    table.remove("abc=")
    assert wire.rows == {}

    wire.rows = again
    assert swept.remove_batch(["abc="]) == []
    assert wire.rows == {}


def test_pauses_never_end_when_chance_is_at_its_least(wire: WireTable) -> None:
    """A table that is busy is not asked again at once, nor more often than a pause allows."""
    wire.always = {"delete": "throttle"}

    with wire.table(jitter=lambda: 0.0) as table, pytest.raises(WriteError):
        table.remove("abc=")

    assert len(wire.requests) == pytest.approx(REMOVE_SECONDS / 0.005, rel=0.01)
