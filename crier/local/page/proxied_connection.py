"""One client's connection through the proxy: texts both ways, until one side closes or it is cut.

Each side is read only as fast as the other takes what was read, so that a slow client holds up no
other one, and is owed a bounded number of bytes.
"""

import asyncio
import time
from contextlib import suppress
from typing import Final

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.connection import Connection
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode
from websockets.protocol import State

from crier.local.page.passing import Passing

_CLOSE_SECONDS: Final = 2.0
_NOT_SENT: Final = (CloseCode.NO_STATUS_RCVD, CloseCode.ABNORMAL_CLOSURE)
"""Codes that say how a connection ended, and that no close frame may have (RFC 6455, 7.4.1)."""


class ProxiedConnection:
    """A client and its connection to the local AWS.

    `cut_after_seconds` is when API Gateway would cut it, counted from now; None is never.
    """

    def __init__(
        self, client: ServerConnection, aws: ClientConnection, *, cut_after_seconds: float | None
    ) -> None:
        self.connection_id: str | None = None
        self.frames_to_drop = 0
        self._client = client
        self._aws = aws
        self._seconds = cut_after_seconds
        self._opened = time.monotonic()

    async def run(self) -> None:
        """Pass on what comes, until one side has closed or the time is over; then close both."""
        passing = {asyncio.create_task(self._to_client()), asyncio.create_task(self._to_aws())}
        try:
            ended, _ = await asyncio.wait(
                passing, timeout=self._seconds, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            for one in passing:
                one.cancel()
            await asyncio.gather(*passing, return_exceptions=True)
        if not ended:
            await self._close_at_its_age()
        await _close_as(self._aws, self._client)
        await _close_as(self._client, self._aws)

    def cut(self) -> None:
        """Cut the client's connection without a close frame, as a network that fails."""
        self._client.transport.abort()

    def give_up(self) -> None:
        """Cut both connections: the run ends."""
        self._client.transport.abort()
        self._aws.transport.abort()

    async def _close_at_its_age(self) -> None:
        """Close with the code of API Gateway for a connection that is two hours old."""
        await _close(self._client, CloseCode.GOING_AWAY, "Going away")
        await _close(self._aws, CloseCode.GOING_AWAY)

    async def _to_aws(self) -> None:
        with suppress(ConnectionClosed):
            async for message in self._client:
                await self._aws.send(message)

    async def _to_client(self) -> None:
        with suppress(ConnectionClosed):
            async for message in self._aws:
                passed = self._seen(message) if isinstance(message, str) else message
                if passed is not None:
                    await self._client.send(passed)

    def _seen(self, text: str) -> str | None:
        """Return what the client is given for a text, None when it is dropped."""
        passing = Passing.of(text)
        if passing.is_frame and self.frames_to_drop:
            self.frames_to_drop -= 1
            return None
        self.connection_id = passing.connection_id or self.connection_id
        if self._seconds is None:
            return text
        left = self._seconds - (time.monotonic() - self._opened)
        return passing.renewed_within(max(0, round(left * 1000)))


async def _close_as(one: Connection, other: Connection) -> None:
    """Close a connection as the other one was closed, if that is closed and this one is not."""
    if one.state is not State.OPEN or other.state is State.OPEN:
        return
    code = other.close_code
    if code is None or code == CloseCode.ABNORMAL_CLOSURE:
        one.transport.abort()
    elif code in _NOT_SENT:
        await _close(one)
    else:
        await _close(one, code, other.close_reason or "")


async def _close(one: Connection, code: int = CloseCode.NORMAL_CLOSURE, reason: str = "") -> None:
    """Close a connection; cut it if its other side does not read, for which `close` would wait."""
    try:
        async with asyncio.timeout(_CLOSE_SECONDS):
            await one.close(code, reason)
    except TimeoutError:
        one.transport.abort()
