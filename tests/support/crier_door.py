"""A server of crier.v1 on loopback, for what a client does on real sockets: it has one channel."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from tests.support.listening_scene import frame, position


class Door:
    """Lets clients in, or refuses them by `statuses`, one after another; `location` goes with them.

    `sent` are the numbers of everyone's channel so far, `heard` the requests of all clients. While
    `is_held` handshakes wait.
    """

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.location = ""
        self.sent = 0
        self.heard: list[dict[str, Any]] = []
        self.handshakes: list[Request] = []
        self.connections: list[ServerConnection] = []
        self.held: asyncio.Event | None = None
        self.come = asyncio.Event()
        self._server: Server

    @property
    def url(self) -> str:
        """Where it is."""
        return f"ws://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/stage"

    @property
    def open(self) -> list[ServerConnection]:
        """The connections that have not ended."""
        return [one for one in self.connections if one.state.name == "OPEN"]

    async def broadcast(self, count: int = 1) -> None:
        """Send the next frames to all."""
        for _ in range(count):
            self.sent += 1
            for one in self.open:
                await one.send(json.dumps(frame(self.sent)))

    async def say(self, text: str | bytes) -> None:
        """Send a text to all."""
        for one in self.open:
            await one.send(text)

    def miss(self, count: int = 1) -> None:
        """Have the next frames lost on their way to all."""
        self.sent += count

    def cut(self) -> None:
        """Cut all connections without a word."""
        for one in self.open:
            one.transport.abort()

    async def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        self.handshakes.append(request)
        self.come.set()
        if self.held:
            await self.held.wait()
        if self.statuses:
            refusal = connection.respond(HTTPStatus(self.statuses.pop(0)), "no\n")
            refusal.headers["Location"] = self.location
            return refusal
        return None

    async def _talk(self, connection: ServerConnection) -> None:
        self.connections.append(connection)
        async for text in connection:
            request = json.loads(text)
            self.heard.append(request)
            told = self._answer(request, f"c{len(self.connections)}=")
            await connection.send(json.dumps({"ref": request["ref"], **told}))

    def _answer(self, request: dict[str, Any], name: str) -> dict[str, Any]:
        if request["action"] == "ping":
            return {"type": "pong", "at": dict.fromkeys(request["at"], 0)}
        if request["action"] == "subscribe":
            return {"type": "subscribed", "channels": dict.fromkeys(request["at"], position())}
        since = request["at"]["*"]
        start = self.sent if since is None else since.get("seq", self.sent - since.get("last", 0))
        frames = [frame(seq) for seq in range(start + 1, self.sent + 1)]
        channels = dict.fromkeys(request["at"], position())
        channels["*"] = position(self.sent, start=start, frames=frames)
        return {"type": "joined", "connectionId": name, "renewInMs": 0, "channels": channels}


def _selected(_: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    """Return the one sub-protocol that there is, if it is offered."""
    return next((one for one in offered if one == "crier.v1"), None)


@asynccontextmanager
async def door() -> AsyncIterator[Door]:
    """Open the door on a free port."""
    made = Door()
    async with serve(
        made._talk,
        "127.0.0.1",
        0,
        process_request=made._admit,
        select_subprotocol=_selected,
        compression=None,
        ping_interval=None,
        close_timeout=1,
    ) as made._server:
        yield made
