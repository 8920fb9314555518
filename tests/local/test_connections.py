"""Connections of the app on the local AWS: listed, inspected and kicked by the command line."""

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from typer.testing import Result
from websockets.asyncio.client import ClientConnection, connect

from crier.demo.clients import close_clients, connect_clients
from crier.demo.run import connection_ids
from crier.deployed.deployment import Deployment
from tests.support.subscribing import subscribe_by_hand
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(120)

Run = Callable[..., Result]


@pytest.fixture
def run(run_crier: Run) -> Run:
    """Runs a command, which finds the local AWS of the tests."""
    return run_crier


def _listed(run: Run, *arguments: str) -> list[dict[str, Any]]:
    done = run("connections", "--json", *arguments)
    assert done.exit_code == 0, done.output
    return [json.loads(line) for line in done.stdout.splitlines()]


async def _connected(deployment: Deployment, run: Run) -> tuple[ClientConnection, str]:
    """Return a client that has just connected, and its connection's id."""
    before = connection_ids(deployment)
    socket = await connect(deployment.web_socket_url)
    id_, *_ = await until(lambda: connection_ids(deployment) - before)
    assert id_ in {one["connection"] for one in await asyncio.to_thread(_listed, run)}
    return socket, id_


def _belong(deployment: Deployment, user: str, *ids: str, channels: Sequence[str] = ()) -> None:
    """Write the rows that connections of a user have beside those of all connections."""
    for id_ in ids:
        subscribe_by_hand(deployment, id_, user=user, channels=channels)


def _rows(deployment: Deployment) -> list[tuple[str, str]]:
    """Return the keys of all rows of the connections table."""
    name = deployment.connections_table_name
    pages = deployment.client("dynamodb").get_paginator("scan").paginate(TableName=name)
    return [(one["pk"]["S"], one["sk"]["S"]) for page in pages for one in page["Items"]]


async def test_connection_is_listed_inspected_and_kicked(deployment: Deployment, run: Run) -> None:
    """It hears a bye, is closed with 1000, has no rows any more, and is listed no longer."""
    socket, id_ = await _connected(deployment, run)
    channels = [f"c{number}" for number in range(50)]
    _belong(deployment, "alice", id_, channels=channels)

    (listed,) = await asyncio.to_thread(_listed, run)
    (of_alice,) = await asyncio.to_thread(_listed, run, "--user", "alice")
    (of_channel,) = await asyncio.to_thread(_listed, run, "--channel", "c49")
    inspected = json.loads((await asyncio.to_thread(run, "inspect", id_, "--json")).stdout)
    kicked = await asyncio.to_thread(run, "kick", id_, "--code", "moved")
    bye = json.loads(await asyncio.wait_for(socket.recv(), 10))
    await asyncio.wait_for(socket.wait_closed(), 10)
    rows = await until(lambda: not _rows(deployment))
    listed_after = await asyncio.to_thread(_listed, run)
    inspected_after = await asyncio.to_thread(run, "inspect", id_)

    assert (listed["connection"], listed["user"]) == (id_, "alice")
    assert (of_alice["connection"], of_alice["user"]) == (id_, "alice")
    assert of_channel == of_alice | {"seconds": of_channel["seconds"]}
    assert (inspected["state"], inspected["user"]) == ("open", "alice")
    assert inspected["channels"] == sorted(channels)
    assert inspected["source_ip"] == "127.0.0.1"
    assert "websockets" in inspected["user_agent"]
    assert abs(inspected["connected_ms"] / 1000 - time.time()) < 60
    assert abs(inspected["last_active_ms"] / 1000 - time.time()) < 60
    assert (kicked.exit_code, kicked.stdout) == (0, "1 kicked, 0 gone already, 0 failed\n")
    assert bye == {"type": "bye", "code": "moved", "reconnect": True, "afterMs": 0}
    assert socket.close_code == 1000
    assert rows
    assert listed_after == []
    assert inspected_after.exit_code == 1
    assert f"connection {id_} is gone" in str(inspected_after.exception)


@pytest.mark.parametrize("id_", ["L0SM9cOFvHcCIhw=", "no/../such?id#", "ü %"])
def test_kick_of_an_unknown_id_is_an_error(run: Run, id_: str) -> None:
    """So it is for an id that no path may hold as it is."""
    done = run("kick", id_)

    assert done.exit_code == 1
    assert f"connection {id_} is not known: API Gateway says that it is gone" in str(done.exception)


async def test_kick_of_a_user_closes_fifty_connections(deployment: Deployment, run: Run) -> None:
    """All of the user's are told and closed; another's stays, and its rows do."""
    socket, other = await _connected(deployment, run)
    _belong(deployment, "bob", other)
    clients = await connect_clients(deployment.web_socket_url, 50)
    await until(lambda: len(connection_ids(deployment)) == 51)
    alices = connection_ids(deployment) - {other}
    _belong(deployment, "alice # 日本", *alices, "ghost=")

    listed = await asyncio.to_thread(_listed, run)
    kicked = await asyncio.to_thread(run, "kick", "--user", "alice # 日本")
    await asyncio.wait_for(asyncio.gather(*(one.socket.wait_closed() for one in clients)), 20)
    await until(lambda: len(_rows(deployment)) == 3)

    assert len(listed) == 51
    assert {one["user"] for one in listed} == {"alice # 日本", "bob"}
    assert (kicked.exit_code, kicked.stdout) == (0, "50 kicked, 1 gone already, 0 failed\n")
    assert [json.loads(one.frames[-1][1])["type"] for one in clients] == ["bye"] * 50
    assert {one.socket.close_code for one in clients} == {1000}
    assert {other} == {key[1] for key in _rows(deployment)} - {"self"}
    await socket.close()
    await close_clients(clients)


def test_ticket_is_refused_by_a_stack_that_all_clients_may_enter(run: Run) -> None:
    """The stack of these tests is open, and looks at no deny list."""
    ticket, kick = run("ticket", "--user", "alice"), run("kick", "--user", "alice", "--deny", "60")

    assert (ticket.exit_code, kick.exit_code) == (1, 1)
    assert "lets clients in by auth=open, expected auth=ticket" in str(ticket.exception)
    assert "looks at no deny list" in str(kick.exception)
