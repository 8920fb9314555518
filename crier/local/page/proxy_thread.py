"""Runs the proxy in a thread of its own, beside the local run, which waits for Ctrl-C."""

import asyncio
from concurrent.futures import Future
from threading import Thread
from types import TracebackType
from typing import Self

from crier.local.page.control import Command
from crier.local.page.proxy import Proxy

_ANSWER_SECONDS = 10.0


class ProxyThread:
    """A proxy that is served. A context manager: leaving it cuts its clients and ends it."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self._thread = Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._ready: Future[asyncio.AbstractEventLoop] = Future()
        self._stop = asyncio.Event()

    def __enter__(self) -> Self:
        """Start it; return when it accepts clients."""
        self._thread.start()
        self._ready.result()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End it, after an error, too."""
        self._ready.result().call_soon_threadsafe(self._stop.set)
        self._thread.join()

    @property
    def url(self) -> str:
        """The WebSocket URL for clients."""
        return self._proxy.url

    def obey(self, command: Command) -> int:
        """Do what a command says, from any thread; return the number of connections reached."""

        async def act() -> int:
            return self._proxy.obey(command)

        loop = self._ready.result()
        return asyncio.run_coroutine_threadsafe(act(), loop).result(_ANSWER_SECONDS)

    async def _serve(self) -> None:
        try:
            async with self._proxy.serving():
                self._ready.set_result(asyncio.get_running_loop())
                await self._stop.wait()
        except BaseException as error:
            if self._ready.done():
                raise
            self._ready.set_exception(error)  # raised where the thread was started
