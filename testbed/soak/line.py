"""A client's connection, and its session: what goes over it is noted down."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from crier.demo.clients import handshake
from crier.demo.door import Door
from testbed.soak.session import Session

CHANNELS = tuple(f"room-{number}" for number in range(5))
"""The channels of a soak: each client may be on all of them."""


class Line:
    """A connection as a client of the protocol uses it; `session` is what it is told."""

    def __init__(self, socket: ClientConnection, session: Session) -> None:
        self.session = session
        self._socket = socket

    @classmethod
    async def to(cls, door: Door, user: str) -> "Line":
        """Connect as a user. Raises CrierError when that fails three times."""
        socket = await handshake(lambda: asyncio.to_thread(door.url_for, user, CHANNELS))
        return cls(socket, Session(user, time.monotonic()))

    async def send(self, message: str, /) -> None:
        """Send a text."""
        self.session.sends(message, time.monotonic())
        await self._socket.send(message)

    async def __aiter__(self) -> AsyncIterator[str]:
        """Yield what comes, until the connection ends.

        When a function has died, API Gateway says so in JSON, which clients pass over; the local
        AWS says so in words, which are passed over here.
        """
        async for text in self._socket:
            if not str(text).startswith("{"):
                continue
            self.session.receives(str(text), time.monotonic())
            yield str(text)

    async def cut(self, *, is_closed: bool) -> None:
        """End it with a close frame, as a browser does, or without, as a dead phone does."""
        self.session.gone_at = time.monotonic()
        if is_closed:
            await self._socket.close()
        else:
            self._socket.transport.abort()


class Listener:
    """A client that sends no frame: it is there for everyone's broadcasts and its user's."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self._listening = asyncio.create_task(self._listen())

    async def leave(self, *, is_closed: bool) -> None:
        """Go, with a close frame or without."""
        await self.line.cut(is_closed=is_closed)
        await self._listening

    async def _listen(self) -> None:
        with suppress(ConnectionClosed):
            async for _ in self.line:
                pass
