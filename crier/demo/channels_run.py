"""The demo of channels: clients with tickets, every audience, and one client that misses much."""

import asyncio
import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from broadcasting.audience import Audience
from crier.demo.cast import (
    AWAY_FRAMES,
    CHANNELS,
    TRAVELLER,
    Planned,
    cast_of,
    sent_while_all_are_there,
    sent_while_one_is_away,
    sent_while_one_returns,
)
from crier.demo.channel_client import ChannelClient, RefusedError
from crier.demo.channel_tally import Sent, result_of
from crier.demo.channels_result import ChannelsResult
from crier.demo.clients import handshake
from crier.demo.door import Door
from crier.deployed.account_reader import AccountReader, watch
from crier.deployed.deployment import Deployment
from crier.deployed.producer import enqueue_by
from crier.errors import CrierError

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

    from crier.deployed.account import Account

_AT_ONCE = 8
_GAP_SECONDS = 1.0
_SETTLE_SECONDS = 120.0
_FORBIDDEN = "secret"
"""A channel that no ticket of the demo allows."""


@dataclass(frozen=True, slots=True)
class Progress:
    """What the demo calls when a client has joined, and when a broadcast is settled."""

    joined: Callable[[], None]
    settled: Callable[[], None]


def broadcasts_for(clients: int) -> int:
    """Return how many broadcasts a demo with as many clients has."""
    ids = [str(place) for place in range(clients)]
    here = list(sent_while_all_are_there("", cast_of(clients), ids))
    return len(here) + AWAY_FRAMES + 1 + len(list(sent_while_one_returns("")))


async def run_channels_demo(
    deployment: Deployment, clients: int, progress: Progress
) -> ChannelsResult:
    """Broadcast to every audience, while one client goes and comes, and count from outside.

    Raises CrierError when clients cannot connect, or a broadcast does not settle.
    """
    return await _ChannelsDemo(deployment, clients, progress).run()


class _ChannelsDemo:
    """One demo: what was sent, to whom, and who was there then."""

    def __init__(self, deployment: Deployment, clients: int, progress: Progress) -> None:
        self._progress = progress
        self._prefix = f"demo-{secrets.token_hex(4)}"
        self._roles = cast_of(clients)
        self._others = range(TRAVELLER + 1, clients)
        self._clients: list[ChannelClient] = [
            ChannelClient(sorted(role.channels), gap_seconds=_GAP_SECONDS) for role in self._roles
        ]
        self._sockets: dict[int, ClientConnection] = {}
        self._sent: list[Sent] = []
        self._accounts: dict[str, Account] = {}
        self._reader = AccountReader.of(deployment)
        self._door = Door(deployment)
        self._queue = (deployment.client("sqs"), deployment.broadcast_queue_url)

    async def run(self) -> ChannelsResult:
        """Play all scenes."""
        try:
            await self._all_join()
            await self._send_while_all_are_there()
            await self._send_while_one_is_away()
            seconds = await self._return_under_way()
            for client in self._clients:
                await client.catch_up()
            is_refused = await self._is_forbidden_channel_refused()
        finally:
            await self._all_leave()
        rows_left = await asyncio.to_thread(self._door.rows_left)
        result = result_of(self._roles, self._clients, self._sent, self._accounts)
        return replace(result, seconds_to_catch_up=seconds, refused=is_refused, rows_left=rows_left)

    async def _all_join(self) -> None:
        at_once = asyncio.Semaphore(_AT_ONCE)

        async def one(place: int) -> None:
            async with at_once:
                await self._join(place)
            self._progress.joined()

        async with asyncio.TaskGroup() as group:
            for place in range(len(self._roles)):
                group.create_task(one(place))

    async def _join(self, place: int) -> float:
        """Let a client join; return how many seconds it took from its first request."""
        user = self._roles[place].user
        socket = await handshake(lambda: asyncio.to_thread(self._door.url_for, user, CHANNELS))
        self._sockets[place] = socket
        begin = time.monotonic()
        await self._clients[place].join(socket)
        return time.monotonic() - begin

    async def _send_while_all_are_there(self) -> None:
        ids = [client.ids[-1] for client in self._clients]
        planned = sent_while_all_are_there(self._prefix, self._roles, ids)
        await self._send(planned, there=range(len(self._roles)))
        await self._settle()

    async def _send_while_one_is_away(self) -> None:
        traveller = self._clients[TRAVELLER]
        self._sockets[TRAVELLER].transport.abort()  # as a dead phone does
        await traveller.leave()
        left_id = traveller.ids[-1]
        if await asyncio.to_thread(self._door.rows_left, left_id):
            raise CrierError(f"connection {left_id} was cut, and its rows stay")
        planned = sent_while_one_is_away(self._prefix, self._roles[TRAVELLER], left_id)
        await self._send(planned, there=self._others)
        await self._settle()

    async def _return_under_way(self) -> float:
        """Let the traveller come back while broadcasts are under way; return how long it took."""
        planned = sent_while_one_returns(self._prefix)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._send(planned, there=self._others, comes=TRAVELLER))
            joining = group.create_task(self._join(TRAVELLER))
        await self._settle()
        return joining.result()

    async def _send(
        self, planned: Iterable[Planned], *, there: Sequence[int], comes: int | None = None
    ) -> None:
        """Enqueue broadcasts while the clients in some places are there, and one may come."""
        for one in planned:
            self._sent.append(Sent(one, tuple(there), comes))
            body = {"id": one.id, "message": one.id, **_keys(one.audience)}
            await asyncio.to_thread(enqueue_by, *self._queue, body)

    async def _settle(self) -> None:
        """Wait for the app's own accounts of all that was sent."""
        until = time.monotonic() + _SETTLE_SECONDS
        for id_ in (one.planned.id for one in self._sent):
            if id_ not in self._accounts:
                self._accounts[id_] = await asyncio.to_thread(self._settled, id_, until)
                self._progress.settled()

    def _settled(self, broadcast_id: str, until: float) -> "Account":
        account = watch(self._reader, broadcast_id, until=until)
        if account is None or not account.is_settled:
            raise CrierError(
                f"broadcast {broadcast_id} did not settle within {_SETTLE_SECONDS:.0f} s; "
                "`crier local --setting auth=ticket` shows what the functions log"
            )
        return self._reader.with_audience(account)

    async def _is_forbidden_channel_refused(self) -> bool:
        try:
            await self._clients[TRAVELLER].ask("subscribe", at={_FORBIDDEN: None})
        except RefusedError as error:
            return error.code == "not-allowed"
        return False

    async def _all_leave(self) -> None:
        """Cut the connections without a close frame: their server is about to end, too."""
        for socket in self._sockets.values():
            socket.transport.abort()
        for client in self._clients:
            await client.leave()


def _keys(audience: Audience) -> dict[str, Any]:
    """Return the keys of a message for an audience."""
    said = {
        "channel": audience.channel,
        "user": audience.user,
        "connections": list(audience.connections),
        "exclude": sorted(audience.exclude),
    }
    return {name: value for name, value in said.items() if value}
