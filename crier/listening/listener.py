"""The client on real sockets: it does what `Client` asks for, and tells what comes of it."""

import asyncio
import os
import time
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Final

from websockets.exceptions import InvalidStatus, WebSocketException

from crier.listening.address import Address
from crier.listening.client import Client
from crier.listening.effects import (
    AskToken,
    Changed,
    Close,
    Effect,
    Followed,
    Open,
    Send,
    State,
    TokenReason,
    Trouble,
)
from crier.listening.opening import TokenFailure
from crier.listening.socket import Socket
from crier.listening.tokens import Tokens

Event = Followed | Changed | Trouble

_TICK_SECONDS: Final = 10.0
_LATE_SECONDS: Final = 5.0


class Listener:
    """Runs a client until it ends, or `run` is cancelled.

    `on_event` is called with what comes, in order; what it raises ends the run, too.
    """

    def __init__(
        self, client: Client, address: Address, tokens: Tokens, on_event: Callable[[Event], None]
    ) -> None:
        self.client = client
        self._address, self._tokens, self._on_event = address, tokens, on_event
        self._sockets: dict[int, Socket] = {}
        self._working: set[asyncio.Task[None]] = set()
        self._closing: set[asyncio.Task[None]] = set()
        self._woken = asyncio.Event()
        self._to_do = deque[Effect]()
        self._is_acting = self._is_closed = False
        self._error: BaseException | None = None

    async def run(self) -> None:
        """Connect, and go on until the client is closed."""
        self._is_closed, self._error = False, None
        self._start(self._look_for_sleep(), self._working)
        try:
            self.client.start(_now_ms())
            self._act()
            while self.client.state is not State.CLOSED and not self._error:
                self._woken.clear()
                await self._wait()
                self.client.due(_now_ms())
                self._act()
        finally:
            await self._end()
        if self._error:
            raise self._error

    def close(self) -> None:
        """End the client: nothing is told any more but its state."""
        self._is_closed = True
        self.client.close()
        self._act()

    def cut(self) -> None:
        """Cut all connections without a word, as a network does that dies."""
        for socket in self._sockets.values():
            socket.abort()

    async def _wait(self) -> None:
        """Wait until something is due, or the client has asked for something else."""
        wakes_at = self.client.wakes_at
        seconds = None if wakes_at is None else max(0.0, wakes_at - _now_ms()) / 1000
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._woken.wait()

    def _act(self) -> None:
        """Do what the client asks for; what comes of that in between is done after it."""
        wakes_at = self.client.wakes_at
        self._to_do += self.client.effects()
        if not self._is_acting:
            self._is_acting = True
            while self._to_do:
                self._do(self._to_do.popleft())
            self._is_acting = False
        if self.client.wakes_at != wakes_at or self.client.state is State.CLOSED:
            self._woken.set()

    def _do(self, effect: Effect) -> None:
        match effect:
            case AskToken(ask, reason):
                self._start(self._ask(ask, reason), self._working)
            case Open(number, token):
                self._sockets[number] = opened = Socket()
                self._start(self._talk(number, opened, token), self._working)
            case Send(number, text) if socket := self._sockets.get(number):
                socket.send(text)
            case Close(number) if socket := self._sockets.pop(number, None):
                self._start(socket.close(), self._closing)
            case Changed():
                self._tell(effect)
            case Followed() | Trouble() if not self._is_closed:
                self._tell(effect)

    def _tell(self, event: Event) -> None:
        """Tell what came; an error of the listening code is no error of a socket, and ends all."""
        if self._error:
            return
        try:
            self._on_event(event)
        except Exception as error:  # noqa: BLE001 - `run` raises it
            self._fail(error)

    async def _ask(self, ask: int, reason: TokenReason) -> None:
        token = await self._tokens.get(reason)
        if isinstance(token, str) and not self._address.takes(token):
            token = TokenFailure("the token has characters that no sub-protocol can have")
        self.client.token(ask, token, _now_ms())
        self._act()

    async def _talk(self, number: int, socket: Socket, token: str | None) -> None:
        """Open a socket, and take what comes until it ends."""
        status, why = None, ""
        try:
            if await socket.open(*self._address.with_token(token)):
                await self._take_all(number, socket)
        except InvalidStatus as error:
            status = error.response.status_code
        except (OSError, WebSocketException, ValueError, ImportError) as error:
            # ImportError: the environment names a SOCKS proxy, which websockets needs a library for
            why = _words_of(error)
        finally:
            socket.abort()
        self._sockets.pop(number, None)
        self.client.ended(number, _now_ms(), status=status, why=why)
        self._act()

    async def _take_all(self, number: int, socket: Socket) -> None:
        self.client.opened(number, _now_ms())
        self._act()
        async for text in socket.texts():
            self.client.text(number, text, _now_ms())
            self._act()

    async def _look_for_sleep(self) -> None:
        """Have the client look at its connection when this machine has slept.

        The monotonic clock may stand still meanwhile; that of the day does not.
        """
        while True:
            before = time.time()
            await asyncio.sleep(_TICK_SECONDS)
            if time.time() - before > _TICK_SECONDS + _LATE_SECONDS:
                self.client.check(_now_ms())
                self._act()

    def _start(self, work: Coroutine[Any, Any, None], tasks: set[asyncio.Task[None]]) -> None:
        task = asyncio.create_task(work)
        tasks.add(task)
        task.add_done_callback(lambda one: self._ended(one, tasks))

    def _ended(self, task: asyncio.Task[None], tasks: set[asyncio.Task[None]]) -> None:
        tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        self._error = self._error or error
        self._woken.set()

    async def _end(self) -> None:
        """Close what is open, and wait for it a moment."""
        self.client.close()
        for one in self.client.effects():
            if isinstance(one, Close):
                self._do(one)
        try:
            await asyncio.gather(*self._closing, return_exceptions=True)
        finally:
            for task in self._working:
                task.cancel()
            await asyncio.gather(*self._working, return_exceptions=True)


def _words_of(error: Exception) -> str:
    """Say what went wrong in the system's words, without its number."""
    words = getattr(error, "strerror", None)
    if isinstance(error, ConnectionError) and error.errno:
        words = os.strerror(error.errno)  # without the address, which asyncio puts there
    return words or str(error) or type(error).__name__


def _now_ms() -> float:
    return time.monotonic() * 1000
