"""One WebSocket of a client: texts are sent in order, and nothing waits for a slow network."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

_HANDSHAKE_SECONDS: Final = 25.0
_CLOSING_SECONDS: Final = 2.0


class _Connect(connect):
    """Follows no redirect, as no browser does: a token must not go to a place that is not ours.

    It may stand in the URL of the redirect, and so in what websockets says of one that is none.
    """

    def process_redirect(self, exc: Exception) -> Exception | str:
        """Return the error: the server has not answered 101."""
        return exc


class Socket:
    """A WebSocket that may be closed at any time, also while it is being opened."""

    def __init__(self) -> None:
        self._connection: ClientConnection | None = None
        self._to_send: asyncio.Queue[str] = asyncio.Queue()
        self._sending: asyncio.Task[None] | None = None
        self._is_closed = False

    async def open(self, url: str, protocols: list[str] | None) -> bool:
        """Connect; return whether the socket was wanted until then.

        Raises InvalidStatus, another WebSocketException, OSError, ValueError or ImportError when it
        cannot.
        """
        self._connection = await _Connect(
            url,
            subprotocols=[Subprotocol(one) for one in protocols] if protocols else None,
            compression=None,  # API Gateway has none
            open_timeout=_HANDSHAKE_SECONDS,
            close_timeout=_CLOSING_SECONDS,
            ping_interval=None,  # the client asks by itself, at intervals that cost less
        )
        if self._is_closed:
            await self._connection.close()
            return False
        self._sending = asyncio.create_task(self._send_all(self._connection))
        return True

    async def texts(self) -> AsyncIterator[str | bytes]:
        """Yield what comes, until the connection ends."""
        if self._connection:
            with suppress(ConnectionClosed):
                async for text in self._connection:
                    yield text

    def send(self, text: str) -> None:
        """Send a text after those before it."""
        self._to_send.put_nowait(text)

    async def close(self) -> None:
        """Close with 1000; the other side has two seconds to answer."""
        self._is_closed = True
        if self._connection:
            await self._connection.close()

    def abort(self) -> None:
        """End the connection at once, without a word."""
        self._is_closed = True
        if self._sending:
            self._sending.cancel()
        if self._connection:
            self._connection.transport.abort()

    async def _send_all(self, connection: ClientConnection) -> None:
        with suppress(ConnectionClosed):
            while True:
                await connection.send(await self._to_send.get())
