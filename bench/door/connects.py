"""Connects per second through the local AWS, with an authorizer and without one, in turn."""

import asyncio
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median

from websockets.asyncio.client import ClientConnection, connect

from bench.door.issuer import AUDIENCE, ISSUER, Issuer
from bench.target import Limit, Target
from broadcasting.door_rows import ticket_item
from crier.deployed.deployment import Deployment
from crier.local.deploy import deploy_locally
from crier.local.local_aws import LocalAws

CONNECTS = 200
REPEATS = 5
_AT_ONCE = 8
_LEAST = Limit("≥", 0.5, "x")
_OPEN = "open"


@dataclass(frozen=True, slots=True)
class Door:
    """A stack in one mode, and what makes the query with which a client is let in."""

    deployment: Deployment
    query: Callable[[], str]

    async def connects_per_second(self, count: int) -> float:
        """Connect clients, some at once; return how many are let in per second."""
        urls = [f"{self.deployment.web_socket_url}{self.query()}" for _ in range(count)]
        at_once = asyncio.Semaphore(_AT_ONCE)

        async def one(url: str) -> ClientConnection:
            async with at_once:
                return await connect(url, compression=None, open_timeout=60, ping_interval=None)

        began = time.perf_counter()
        clients = await asyncio.gather(*map(one, urls))
        seconds = time.perf_counter() - began
        await asyncio.gather(*(client.close() for client in clients))
        return count / seconds


def connects(begin: Callable[[str], None]) -> Iterator[Target]:
    """Yield the connects per second of each mode against those of an open stack."""
    with ExitStack() as stack:
        begin("Deploying a stack for each mode")
        doors = dict(_doors(stack))
        for door in doors.values():  # the first connects start the functions
            asyncio.run(door.connects_per_second(_AT_ONCE))
        rates: dict[str, list[float]] = {mode: [] for mode in doors}
        for number in range(REPEATS):
            begin(f"Connecting, {number + 1} of {REPEATS}")
            for mode, door in doors.items():
                rates[mode].append(asyncio.run(door.connects_per_second(CONNECTS)))
    usual = median(rates.pop(_OPEN))
    for mode, found in rates.items():
        name = f"connects per second with {mode} ({median(found):.0f}) against open ({usual:.0f})"
        yield _LEAST.judge(name, median(found) / usual)


def _doors(stack: ExitStack) -> Iterator[tuple[str, Door]]:
    yield _OPEN, Door(_deployed(stack), lambda: "")
    with_tickets = _deployed(stack, auth="ticket")
    yield "ticket", Door(with_tickets, lambda: f"?token={_ticket(with_tickets)}")
    issuer = Issuer()
    keys = stack.enter_context(issuer.shown())
    with_tokens = _deployed(stack, auth="jwt", issuer=ISSUER, audience=AUDIENCE, jwksUrl=keys)
    yield "jwt", Door(with_tokens, lambda: f"?token={issuer.token(secrets.token_hex(8))}")


def _deployed(stack: ExitStack, **settings: str) -> Deployment:
    aws = stack.enter_context(LocalAws())
    return deploy_locally(aws, lambda _: None, **settings)


def _ticket(deployment: Deployment) -> str:
    """Write a ticket as an application does, and return it."""
    ticket, expires_seconds = secrets.token_urlsafe(32), int(time.time()) + 60
    user = secrets.token_hex(8)
    deployment.client("dynamodb").put_item(
        TableName=deployment.connections_table_name,
        Item=ticket_item(ticket, user=user, channels=None, expires_seconds=expires_seconds),
    )
    return ticket
