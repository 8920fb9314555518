"""The rows that decide who may connect: what is said when they cannot be asked for."""

from typing import Any

import pytest

from storage.door_table import DOOR_CONFIG, DoorTable
from storage.errors import ReadError, WriteError
from tests.support.authorizing import TICKET
from tests.support.boto_wire import UnreachableWire, WiredSession


@pytest.fixture
def wire() -> UnreachableWire:
    """Return a wire that no answer comes over."""
    return UnreachableWire()


@pytest.fixture
def table(wire: UnreachableWire) -> DoorTable:
    """Return a table behind that wire."""
    return DoorTable(WiredSession(wire).create_client("dynamodb", config=DOOR_CONFIG), "t")


def test_door_tells_when_a_ticket_cannot_be_taken(table: DoorTable, wire: UnreachableWire) -> None:
    """After two tries, by the kind of error."""
    with pytest.raises(WriteError, match="a ticket was not taken: ConnectTimeoutError"):
        table.take_ticket(TICKET)

    assert wire.operations == ["DeleteItem"] * 2


def test_door_tells_when_the_deny_list_cannot_be_read(
    table: DoorTable, wire: UnreachableWire
) -> None:
    """After two tries, by the kind of error: it must not pass for a user who is not denied."""
    with pytest.raises(ReadError, match="the deny list was not read: ConnectTimeoutError"):
        table.find_denial("alice")

    assert wire.operations == ["GetItem"] * 2


def test_door_waits_half_a_second_for_each_step() -> None:
    """A client waits, and botocore's own tries would make it wait between them."""
    config: Any = DOOR_CONFIG

    assert (config.connect_timeout, config.read_timeout) == (0.5, 0.5)
    assert config.retries["total_max_attempts"] == 1
