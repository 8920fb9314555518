"""Both ends of real connections on loopback, for tests that need each byte in their hands."""

import socket
import ssl
import struct
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from select import POLLIN, POLLOUT, poll
from threading import Thread
from typing import Any, Protocol, Self

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
GONE = b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n"
PATIENCE_SECONDS = 10.0
"""How long a test waits for what must happen; only a failing test waits until this is over."""

Handler = Callable[[socket.socket], None]


class _Descriptor(Protocol):
    def fileno(self) -> int: ...


def is_readable(sock: _Descriptor, seconds: float = PATIENCE_SECONDS) -> bool:
    """Wait until something has come, for a bounded time; tell whether it has."""
    return _has_news(sock, POLLIN, seconds)


def is_writable(sock: _Descriptor, seconds: float = PATIENCE_SECONDS) -> bool:
    """Wait until something can be sent, or connecting has failed; tell whether that is so."""
    return _has_news(sock, POLLOUT, seconds)


def _has_news(sock: _Descriptor, news: int, seconds: float) -> bool:
    """Wait for news of a descriptor, however high its number is."""
    watched = poll()
    watched.register(sock, news)
    return bool(watched.poll(max(0.0, seconds) * 1000))


def reset(sock: socket.socket) -> None:
    """Close a connection with a TCP reset."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def read_post(sock: socket.socket) -> bytes:
    """Read one post to its last byte; return no bytes when the client has closed."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = sock.recv(65_536)
        if not piece:
            return b""
        data += piece
    head, body = data.split(b"\r\n\r\n", 1)
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    while len(body) < length:
        body += sock.recv(65_536)
    return head + b"\r\n\r\n" + body


def wait_for_end(sock: socket.socket) -> None:
    """Read until the client has closed."""
    with suppress(OSError):
        while sock.recv(65_536):
            pass


def unused_port() -> int:
    """Return a port that no server listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


@contextmanager
def silent_port() -> Iterator[int]:
    """Listen on a port without ever accepting: the system accepts, and no server answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@contextmanager
def swallowing_port() -> Iterator[int]:
    """Listen on a port whose queue is full: the system answers no attempt to connect."""
    with ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.settimeout(0)
            waiting.connect_ex(server.getsockname())
        yield server.getsockname()[1]


def found(*addresses: tuple[str, int]) -> list[Any]:
    """Return what `socket.getaddrinfo` returns for a host with such addresses."""
    return [
        (socket.AF_INET6, socket.SOCK_STREAM, 6, "", (host, port, 0, 0))
        if ":" in host
        else (socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port))
        for host, port in addresses
    ]


class Loopback:
    """A server that handles each connection in a thread of its own, as a test says.

    As a context manager it serves, and raises on leaving what a handler raised; that a client
    hangs up is no error.
    """

    def __init__(self, handler: Handler, tls: ssl.SSLContext | None = None) -> None:
        self._handler = handler
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads = [Thread(target=self._accept)]
        self._errors: list[BaseException] = []
        self.accepted = 0
        self.port: int = self._listener.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}/prod"

    def _accept(self) -> None:
        while True:
            try:
                accepted, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            thread = Thread(target=self._handle, args=(accepted,))
            self._threads.append(thread)
            thread.start()

    def _handle(self, accepted: socket.socket) -> None:
        accepted.settimeout(PATIENCE_SECONDS)
        try:
            if self._tls:
                accepted = self._tls.wrap_socket(accepted, server_side=True)
            self._handler(accepted)
        except OSError:
            pass
        except BaseException as error:  # noqa: BLE001 - raised where the test sees it
            self._errors.append(error)
        finally:
            accepted.close()

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(PATIENCE_SECONDS)
        if self._errors:
            raise self._errors[0]
