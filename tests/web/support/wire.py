"""The network between a browser and the local AWS, which a test can cut, mute, or close.

It passes bytes on between a port of its own and the local AWS, and knows nothing of WebSockets.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from threading import Thread
from typing import Self

from tests.support.loopback import PATIENCE_SECONDS, unused_port

_HOST = "127.0.0.1"
_MOST_BYTES = 65_536

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class _Link:
    """One connection through it: a client's side and the server's."""

    def __init__(self, client: Streams, server: Streams) -> None:
        self.is_mute = False
        self._client = client
        self._server = server

    async def run(self) -> None:
        """Pass bytes on until one side closes; no side of a mute one hears of the other's end."""
        both = {
            asyncio.create_task(self._pump(self._client[0], self._server[1])),
            asyncio.create_task(self._pump(self._server[0], self._client[1])),
        }
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if self.is_mute:
                await asyncio.wait(both)
        finally:
            for one in both:
                one.cancel()
            self.abort()

    def abort(self) -> None:
        """Reset both sides."""
        for _, writer in (self._client, self._server):
            writer.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(_MOST_BYTES):
                if not self.is_mute:
                    writer.write(data)
                    await writer.drain()


class Wire:
    """Leads from its port to the local AWS's. A context manager: leaving it cuts and ends it."""

    def __init__(self, server_port: int) -> None:
        self.port = unused_port()
        self._server_port = server_port
        self._links: set[_Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._listening: asyncio.Server | None = None
        self._thread = Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._ready: Future[asyncio.AbstractEventLoop] = Future()
        self._end = asyncio.Event()

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.result(PATIENCE_SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        self._ready.result().call_soon_threadsafe(self._end.set)
        self._thread.join(PATIENCE_SECONDS)

    def cut(self) -> None:
        """Reset all connections."""
        self._do(self._cut)

    def mute(self) -> None:
        """Let the connections that are there carry nothing more, and tell neither side.

        So it is with a network that is pulled, or an address that has changed.
        """
        self._do(self._mute)

    def close(self) -> None:
        """Be a server that is killed: reset all connections, and refuse new ones."""
        self._do(self._close)

    def open(self) -> None:
        """Be there again, on the same port."""
        loop = self._ready.result()
        asyncio.run_coroutine_threadsafe(self._open(), loop).result(PATIENCE_SECONDS)

    def _do(self, act: Callable[[], None]) -> None:
        async def run() -> None:
            act()

        loop = self._ready.result()
        asyncio.run_coroutine_threadsafe(run(), loop).result(PATIENCE_SECONDS)

    async def _serve(self) -> None:
        await self._open()
        self._ready.set_result(asyncio.get_running_loop())
        await self._end.wait()
        self._close()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=PATIENCE_SECONDS)

    async def _open(self) -> None:
        self._listening = await asyncio.start_server(self._accept, _HOST, self.port)

    def _cut(self) -> None:
        for link in self._links:
            link.abort()

    def _mute(self) -> None:
        for link in self._links:
            link.is_mute = True

    def _close(self) -> None:
        if self._listening is not None:
            self._listening.close()
        self._cut()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._pass_on(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = _Link((reader, writer), await asyncio.open_connection(_HOST, self._server_port))
        self._links.add(link)
        try:
            await link.run()
        finally:
            self._links.discard(link)
