"""A TCP proxy on loopback whose connections can die as those of a frozen function do."""

import socket
import struct
from contextlib import suppress
from dataclasses import dataclass
from selectors import EVENT_READ, DefaultSelector
from threading import Lock, Thread
from typing import Self

_ABORT = struct.pack("ii", 1, 0)
"""SO_LINGER for 0 seconds: closing then resets."""

_CHUNK_BYTES = 256 * 1024
_JOIN_SECONDS = 10.0


@dataclass(eq=False)
class _Pair:
    client: socket.socket
    server: socket.socket
    is_dead: bool = False


class Proxy:
    """Carries bytes to a port of 127.0.0.1 and back, in a thread of its own.

    After `kill`, a connection looks open and is not: what its client sends next is answered with
    a reset. That is what NAT and load balancers do to those that were idle for too long.
    """

    def __init__(self, port: int) -> None:
        self._target = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.resets = 0
        """How often a client has met a dead connection."""
        self._selector = DefaultSelector()
        self._pairs: dict[socket.socket, _Pair] = {}
        self._lock = Lock()
        self._waker, self._wakened = socket.socketpair()
        self._is_stopping = False
        self._thread = Thread(target=self._serve, name="proxy", daemon=True)

    def kill(self) -> None:
        """Have all connections of now be dead."""
        with self._lock:
            for pair in self._pairs.values():
                pair.is_dead = True

    def __enter__(self) -> Self:
        self._selector.register(self._listener, EVENT_READ)
        self._selector.register(self._wakened, EVENT_READ)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_stopping = True
        self._waker.send(b"!")
        self._thread.join(_JOIN_SECONDS)
        self._selector.close()
        for one in (self._listener, self._waker, self._wakened, *self._pairs):
            one.close()

    def _serve(self) -> None:
        while not self._is_stopping:
            for key, _ in self._selector.select():
                if key.fileobj is self._listener:
                    self._accept()
                elif isinstance(key.fileobj, socket.socket) and key.fileobj in self._pairs:
                    self._carry(key.fileobj)

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        pair = _Pair(client, socket.create_connection(self._target))
        with self._lock:
            for one in (pair.client, pair.server):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._pairs[one] = pair
                self._selector.register(one, EVENT_READ)

    def _carry(self, source: socket.socket) -> None:
        pair = self._pairs[source]
        other = pair.server if source is pair.client else pair.client
        try:
            data = source.recv(_CHUNK_BYTES)
            if data and not pair.is_dead:
                other.sendall(data)
                return
        except OSError:
            data = b""
        if pair.is_dead and source is pair.server:
            self._unwatch(source)  # its client must not notice
            return
        self.resets += bool(data)
        self._close(pair, is_reset=bool(data))

    def _unwatch(self, one: socket.socket) -> None:
        with suppress(KeyError):
            self._selector.unregister(one)

    def _close(self, pair: _Pair, *, is_reset: bool) -> None:
        if is_reset:
            pair.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
        with self._lock:
            for one in (pair.client, pair.server):
                self._unwatch(one)
                self._pairs.pop(one, None)
                one.close()
