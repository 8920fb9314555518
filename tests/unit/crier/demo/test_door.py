"""The demo's door: a ticket for each client, and the rows that are left."""

import hashlib
import time
from typing import TYPE_CHECKING, Any, cast

import pytest

from crier.demo.door import Door
from tests.support.fake_connections import FakeConnectionsStack

if TYPE_CHECKING:
    from crier.deployed.deployment import Deployment


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> FakeConnectionsStack:
    """A stack whose table can be scanned."""
    fake = FakeConnectionsStack(auth="ticket")

    class Pages:
        """All rows, in two pages."""

        @staticmethod
        def paginate(**options: Any) -> list[dict[str, Any]]:
            assert options["ConsistentRead"]
            items = list(fake.table.items.values())
            return [{"Items": items[::2]}, {"Items": items[1::2]}]

    monkeypatch.setattr(fake.table, "get_paginator", lambda _: Pages)
    return fake


def test_each_url_has_a_ticket_of_its_own(stack: FakeConnectionsStack) -> None:
    """Its row has the user, the channels and a minute to live; the ticket is a hash there."""
    door = Door(cast("Deployment", stack))

    urls = [door.url_for("alice", ("news", "sport")) for _ in range(2)]

    tickets = [url.removeprefix("wss://api.example/prod?token=") for url in urls]
    assert len(set(tickets)) == 2
    row = stack.table.items[f"ticket#{hashlib.sha256(tickets[0].encode()).hexdigest()}", "self"]
    assert (row["user"], row["channels"]) == ({"S": "alice"}, {"S": "news sport"})
    assert 50 < int(row["expiresAt"]["N"]) - time.time() <= 60
    assert door.rows_left() == 0


def test_rows_are_waited_for_until_they_are_gone(
    stack: FakeConnectionsStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of one connection or of all; those of its channels count, too."""
    stack.connect("a=", "alice", channels=("news",))
    stack.connect("b=")
    door = Door(cast("Deployment", stack))
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        for key in stack.keys("a="):
            del stack.table.items[key]

    monkeypatch.setattr(time, "sleep", wait)
    left = door.rows_left("a=")
    monkeypatch.setattr("crier.demo.door._ROWS_SECONDS", 0)

    assert (left, len(waits)) == (0, 1)
    assert (door.rows_left("b="), door.rows_left()) == (1, 1)
