"""The demo: clients connect, one broadcast is enqueued, all receive it, stale rows are gone."""

import asyncio
import json
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from crier.demo.clients import close_clients, connect_clients
from crier.demo.result import DemoResult, Reception, Rows, compare_rows, receptions
from crier.deployed.account import Account
from crier.deployed.account_reader import AccountReader, watch
from crier.deployed.deployment import Deployment
from crier.deployed.producer import enqueue
from crier.errors import CrierError

if TYPE_CHECKING:
    from crier.demo.clients import Client

_GHOST_SHARE = 0.05
_GHOST_AGE_SECONDS = 600
_WAIT_SECONDS = 90.0
_SLOWEST_POSTS_PER_SECOND = 100
_QUIET_SECONDS = 1.5
_SWEEP_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Progress:
    """What the demo calls when a client is connected, a ghost's row is written, a frame came."""

    connected: Callable[[], None]
    ghosts_added: Callable[[], None]
    received: Callable[[], None]


def ghosts_for(connections: int) -> int:
    """Return how many ghosts a demo has: 5 % of its clients, and at least one."""
    return max(1, round(connections * _GHOST_SHARE))


async def run_demo(deployment: Deployment, connections: int, progress: Progress) -> DemoResult:
    """Broadcast once to real clients and ghosts, and count everything from outside.

    Raises CrierError when the clients cannot connect, or the broadcast does not settle.
    """
    clients = await connect_clients(
        deployment.web_socket_url,
        connections,
        on_connected=progress.connected,
        on_frame=progress.received,
    )
    try:
        ghosts = await add_ghosts(deployment, ghosts_for(connections), progress.ghosts_added)
        before = await asyncio.to_thread(connection_ids, deployment)
        broadcast_id, message = f"demo-{secrets.token_hex(6)}", {"text": "Hear ye!"}
        sent_at = time.monotonic()
        body = {"id": broadcast_id, "message": message}
        await asyncio.to_thread(enqueue, deployment, body)
        wait_seconds = _WAIT_SECONDS + connections / _SLOWEST_POSTS_PER_SECOND
        await _until_received(clients, wait_seconds)
        account = await asyncio.to_thread(_settled, deployment, broadcast_id, wait_seconds)
        after = await asyncio.to_thread(_swept, deployment, ghosts)
    finally:
        await close_clients(clients)
    reception = receptions([_messages(client) for client in clients], message, sent_at)
    return _result(
        connections, len(ghosts), account, reception, compare_rows(before, after, ghosts)
    )


def _result(
    connections: int, ghosts: int, account: Account, reception: Reception, rows: Rows
) -> DemoResult:
    return DemoResult(
        connections=connections,
        ghosts=ghosts,
        targeted=account.counts.targeted,
        delivered=account.counts.delivered,
        gone=account.counts.gone,
        failed=account.counts.failed,
        **asdict(reception),
        settled_per_second=account.ended_per_second(account.settled_ms),
        stale_rows_left=rows.stale_left,
        live_rows_lost=rows.live_lost,
    )


def connection_ids(deployment: Deployment) -> set[str]:
    """Return the ids of all connections that everyone's broadcasts reach."""
    pages = (
        deployment.client("dynamodb")
        .get_paginator("scan")
        .paginate(
            TableName=deployment.connections_table_name,
            ConsistentRead=True,
            FilterExpression="begins_with(pk, :everyone)",
            ExpressionAttributeValues={":everyone": {"S": "all#"}},
        )
    )
    return {item["sk"]["S"] for page in pages for item in page["Items"]}


async def add_ghosts(
    deployment: Deployment,
    count: int,
    on_ghost: Callable[[], None],
    *,
    age_seconds: int = _GHOST_AGE_SECONDS,
) -> set[str]:
    """Let the connect function write rows of connections that do not exist; return their ids.

    The rows are `age_seconds` old: after a 410 a connection younger than a minute is tried again.
    """
    client, function = deployment.client("lambda"), deployment.function_name("Connect")
    connected_at = int((time.time() - age_seconds) * 1000)
    ghosts = {f"ghost-{secrets.token_hex(8)}" for _ in range(count)}
    for ghost in ghosts:
        context = {"eventType": "CONNECT", "connectionId": ghost, "connectedAt": connected_at}
        event = {"requestContext": context}
        answer = await asyncio.to_thread(
            client.invoke, FunctionName=function, Payload=json.dumps(event)
        )
        if json.load(answer["Payload"]) != {"statusCode": 200}:
            raise CrierError("the connect function did not write a ghost's row: its log says why")
        on_ghost()
    return ghosts


async def _until_received(clients: "list[Client]", wait_seconds: float) -> None:
    """Wait until each client has a frame, and a little longer, for frames that come twice."""
    with suppress(TimeoutError):
        async with asyncio.timeout(wait_seconds):
            for client in clients:
                await client.has_frame.wait()
    await asyncio.sleep(_QUIET_SECONDS)


def _settled(deployment: Deployment, broadcast_id: str, wait_seconds: float) -> Account:
    """Wait for the app's own account of a broadcast."""
    until = time.monotonic() + wait_seconds
    account = watch(AccountReader.of(deployment), broadcast_id, until=until)
    if account is None or not account.is_settled:
        raise CrierError(
            f"broadcast {broadcast_id} did not settle within {wait_seconds:.0f} s; "
            "`crier local` shows what the functions log"
        )
    return account


def _swept(deployment: Deployment, ghosts: set[str]) -> set[str]:
    """Return the connection ids once no ghost is among them: the function deletes rows last."""
    give_up = time.monotonic() + _SWEEP_SECONDS
    while (ids := connection_ids(deployment)) & ghosts and time.monotonic() < give_up:
        time.sleep(0.1)
    return ids


def _messages(client: "Client") -> list[tuple[float, Any]]:
    return [(at, _message(frame)) for at, frame in client.frames]


def _message(frame: str) -> Any:
    try:
        return json.loads(frame)["message"]
    except (ValueError, KeyError, TypeError):
        return frame
