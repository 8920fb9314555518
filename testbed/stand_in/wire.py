"""A non-blocking TCP connection's bytes, as they are: the plain wire."""

import socket
import struct

RECEIVE_BYTES = 64 * 1024
HTTP1 = "http/1.1"
HTTP2 = "h2"
"""What connections may speak, as ALPN has it."""

_ABORT = struct.pack("ii", 1, 0)
"""SO_LINGER for 0 seconds: closing then resets."""


class Wire:
    """Receives and sends. `has_unsent`: the socket was full, call `flush` when it is writable.

    OSError and EOFError, from any method that moves bytes, mean that the client is gone.
    """

    __slots__ = ("_socket", "_unsent")

    def __init__(self, connected: socket.socket) -> None:
        connected.settimeout(0)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = connected
        self._unsent = b""

    def fileno(self) -> int:
        """Return the descriptor, for selectors."""
        return self._socket.fileno()

    @property
    def protocol(self) -> str | None:
        """Return what is spoken on it, as ALPN has it; None while that is open."""
        return HTTP1

    @property
    def has_unsent(self) -> bool:
        """Whether bytes wait for the socket to take them."""
        return bool(self._unsent)

    def receive(self) -> bytes:
        """Return what has come; nothing is no error."""
        return self._receive_raw()

    def send(self, data: bytes) -> None:
        """Send bytes, or keep what the socket does not take."""
        self._send_raw(data)

    def flush(self) -> None:
        """Send what was kept."""
        data, self._unsent = self._unsent, b""
        self._send_raw(data)

    def finish(self) -> None:
        """Say that nothing more will be sent; what the client sends can still be received."""
        self._socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Close at once."""
        self._socket.close()

    def reset(self) -> None:
        """Close at once, with a TCP reset."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
        self._socket.close()

    def _receive_raw(self) -> bytes:
        try:
            data = self._socket.recv(RECEIVE_BYTES)
        except BlockingIOError:
            return b""
        if not data:
            raise EOFError
        return data

    def _send_raw(self, data: bytes) -> None:
        if self._unsent:
            self._unsent += data
            return
        try:
            sent = self._socket.send(data)
        except BlockingIOError:
            sent = 0
        if sent < len(data):
            self._unsent = data[sent:]
