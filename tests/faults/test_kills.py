"""Kill -9 of the deployed function's worker process: another goes on, and the account is exact."""

import asyncio
import json
import os
import secrets
import signal
from contextlib import suppress
from typing import Any

import pytest

from crier.demo.clients import Client, close_clients, connect_clients
from crier.deployed.account import Account
from crier.deployed.account_reader import AccountReader
from crier.deployed.deployment import Deployment
from crier.deployed.producer import enqueue
from crier.local.local_aws import LocalAws
from testbed.wire_faults import FaultFile, WireFault
from tests.faults.conftest import TIMEOUT_SECONDS
from tests.support.promises import expect_exact
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(240)

CLIENTS = 100
"""More than an invocation of the deployed function, at 20 posts per second, can serve."""

VISIBILITY_SECONDS = TIMEOUT_SECONDS + 6
"""One second more than a lease lasts: shorter than what is deployed, for the tests' sake."""

KILLS = {
    "before the release": ("PutItem", '"owner": {"S": ""}', "kill_before"),
    "between checkpoint and hand-over": ("SendMessage", "", "kill_before"),
    "between hand-over and closing": ("TransactWriteItems", '{"S": "settled"}', "kill_before"),
    "after the closing": ("TransactWriteItems", '{"S": "settled"}', "kill_after"),
}


@pytest.fixture(autouse=True)
def soon_again(deployment: Deployment) -> None:
    """Have messages come again soon after a death."""
    sqs = deployment.client("sqs")
    for url in (deployment.broadcast_queue_url, deployment.slice_queue_url):
        attributes = {"VisibilityTimeout": str(VISIBILITY_SECONDS)}
        sqs.set_queue_attributes(QueueUrl=url, Attributes=attributes)


async def _settled(deployment: Deployment, broadcast_id: str) -> Account:
    accounts = AccountReader.of(deployment)

    def find() -> Account | None:
        found = accounts.find(broadcast_id)
        return found if found and found.is_settled else None

    account = await until(find, 90)
    assert account is not None
    return account


def _received(clients: list[Client], broadcast_id: str) -> list[int]:
    """Return how often each client received a broadcast."""
    return [
        sum(json.loads(frame)["id"] == broadcast_id for _, frame in client.frames)
        for client in clients
    ]


def _workers(local_aws: LocalAws) -> list[int]:
    """Return the processes of the broadcast function that are alive."""
    found = [int(mark.name.split("-")[1]) for mark in local_aws.startup_folder.glob("worker-*")]
    alive: list[int] = []
    for pid in found:
        with suppress(ProcessLookupError):
            os.kill(pid, 0)
            alive.append(pid)
    return alive


def _new_broadcast() -> tuple[str, dict[str, Any]]:
    broadcast_id = f"kill-{secrets.token_hex(6)}"
    return broadcast_id, {"id": broadcast_id, "message": "still here"}


async def test_kill_in_the_middle_of_a_page(deployment: Deployment, local_aws: LocalAws) -> None:
    """Some have received it when the process is killed: all do, and the account is exact."""
    clients = await connect_clients(deployment.web_socket_url, CLIENTS)
    broadcast_id, body = _new_broadcast()

    await asyncio.to_thread(enqueue, deployment, body)
    await until(lambda: sum(_received(clients, broadcast_id)) >= 20)
    for pid in _workers(local_aws):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    account = await _settled(deployment, broadcast_id)
    received = _received(clients, broadcast_id)
    await close_clients(clients)

    expect_exact(account)
    assert account.counts.delivered == CLIENTS
    assert all(received)
    assert sum(received) > CLIENTS - 1


@pytest.mark.parametrize("point", KILLS)
async def test_kill_between_two_writes(
    deployment: Deployment, faults: FaultFile, point: str
) -> None:
    """The process dies at its wire, once: all receive it, and the account is exact."""
    operation, text, kind = KILLS[point]
    clients = await connect_clients(deployment.web_socket_url, CLIENTS)
    broadcast_id, body = _new_broadcast()
    before = sum(faults.happened().values())
    faults.set(WireFault(operation=operation, body=text, kind=kind, times=1))

    await asyncio.to_thread(enqueue, deployment, body)
    account = await _settled(deployment, broadcast_id)
    await asyncio.sleep(0.5)
    received = _received(clients, broadcast_id)
    await close_clients(clients)

    assert sum(faults.happened().values()) == before + 1
    expect_exact(account)
    assert account.counts.delivered == CLIENTS
    assert all(received)
    if point != "before the release":
        assert sum(received) <= CLIENTS + 45  # what one second may post since the last checkpoint


async def test_clients_that_come_and_go_while_it_runs_harm_no_other(deployment: Deployment) -> None:
    """Those present throughout receive it exactly once, whichever others connect or leave."""
    present = await connect_clients(deployment.web_socket_url, CLIENTS)
    leaving = await connect_clients(deployment.web_socket_url, 20)
    broadcast_id, body = _new_broadcast()

    await asyncio.to_thread(enqueue, deployment, body)
    await until(lambda: sum(_received(present, broadcast_id)) >= 10)
    await close_clients(leaving[:10])
    coming = await connect_clients(deployment.web_socket_url, 10)
    await asyncio.gather(*(client.close() for client in leaving[10:]))
    account = await _settled(deployment, broadcast_id)
    received = _received(present, broadcast_id)
    await close_clients([*present, *coming])

    expect_exact(account)
    assert received == [1] * CLIENTS
    assert CLIENTS <= account.counts.targeted <= CLIENTS + 30
