"""Many real WebSocket clients in one process; each keeps what it received, and when."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from crier.errors import CrierError

_HANDSHAKES_AT_ONCE = 32
_HANDSHAKE_SECONDS = 60
_TRIES = 3


class Client:
    """One connected client. `frames` are the frames that it received, each with its time.

    Times are in seconds on the monotonic clock.
    """

    def __init__(self, socket: ClientConnection, on_frame: Callable[[], None]) -> None:
        self.frames: list[tuple[float, str]] = []
        self.has_frame = asyncio.Event()
        self.socket = socket
        self._on_frame = on_frame
        self._listening = asyncio.create_task(self._listen())

    async def close(self) -> None:
        """Close the connection as a browser does."""
        await self.socket.close()
        await self._listening

    async def vanish(self) -> None:
        """Cut the connection without a close frame, as a dead phone does."""
        self.socket.transport.abort()
        await self._listening

    async def _listen(self) -> None:
        with suppress(ConnectionClosed):
            async for frame in self.socket:
                self.frames.append((time.monotonic(), str(frame)))
                self.has_frame.set()
                self._on_frame()


async def connect_clients(
    url: str,
    count: int,
    *,
    on_connected: Callable[[], None] = lambda: None,
    on_frame: Callable[[], None] = lambda: None,
) -> list[Client]:
    """Connect `count` clients. Raises CrierError when one of them fails to connect three times."""
    at_once = asyncio.Semaphore(_HANDSHAKES_AT_ONCE)

    async def same_url() -> str:
        return url

    async def one() -> Client:
        async with at_once:
            client = Client(await handshake(same_url), on_frame)
        on_connected()
        return client

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one()) for _ in range(count)]
    return [task.result() for task in tasks]


async def close_clients(clients: list[Client]) -> None:
    """Cut the connections without a close frame: their server is about to end, too."""
    for client in clients:
        client.socket.transport.abort()
    await asyncio.gather(*(client.vanish() for client in clients))


async def handshake(url_of: Callable[[], Awaitable[str]]) -> ClientConnection:
    """Return a connection to a URL, which is asked for again before each of three tries.

    Raises CrierError when all have failed.
    """
    for tries in range(1, _TRIES + 1):
        url = await url_of()
        try:
            return await connect(
                url, compression=None, open_timeout=_HANDSHAKE_SECONDS, ping_interval=None
            )
        except (OSError, TimeoutError, WebSocketException) as error:
            if tries == _TRIES:
                place = url.partition("?")[0]  # what follows may let a client in
                raise CrierError(
                    f"a client could not connect to {place}: {error}; try fewer clients"
                ) from error
            await asyncio.sleep(0.2 * tries)
    raise AssertionError("unreachable")
