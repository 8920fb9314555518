"""A wire with TLS on it.

TLS works in memory, so a post costs one system call each way: a TLS socket's own `recv` would
make two, one for a record's head and one for its body.
"""

import socket
import ssl
from collections.abc import Callable
from contextlib import suppress

from testbed.stand_in.wire import HTTP1, RECEIVE_BYTES, Wire


class TlsWire(Wire):
    """The server's side of a TLS connection; calls `on_handshake` once it is open."""

    __slots__ = ("_incoming", "_is_open", "_on_handshake", "_outgoing", "_tls")

    def __init__(
        self, connected: socket.socket, context: ssl.SSLContext, on_handshake: Callable[[], None]
    ) -> None:
        super().__init__(connected)
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._on_handshake = on_handshake
        self._is_open = False

    @property
    def protocol(self) -> str | None:
        """Return what is spoken on it, as ALPN has it; None while that is open."""
        return (self._tls.selected_alpn_protocol() or HTTP1) if self._is_open else None

    def receive(self) -> bytes:
        """Return what has come and is decrypted; shake hands first."""
        data = self._receive_raw()
        if not data:
            return b""
        self._incoming.write(data)
        try:
            return self._decrypt() if self._is_open else self._shake_hands()
        finally:
            if self._outgoing.pending:  # handshakes, key updates, and alerts before the end
                self._send_raw(self._outgoing.read())

    def send(self, data: bytes) -> None:
        """Encrypt and send bytes, or keep what the socket does not take."""
        self._tls.write(data)
        self._send_raw(self._outgoing.read())

    def finish(self) -> None:
        """Say in TLS too that nothing more will be sent."""
        self._say_goodbye()
        super().finish()

    def close(self) -> None:
        """Close at once, after TLS's goodbye if the socket takes it."""
        with suppress(OSError):
            self._say_goodbye()
        super().close()

    def _shake_hands(self) -> bytes:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return b""
        self._is_open = True
        self._on_handshake()
        return self._decrypt()

    def _decrypt(self) -> bytes:
        """Return all that the whole records in memory hold; part of a record stays there."""
        pieces: list[bytes] = []
        try:
            while piece := self._tls.read(RECEIVE_BYTES):
                pieces.append(piece)
                if not self._incoming.pending:  # nearly always: there was one record
                    return b"".join(pieces)
        except ssl.SSLWantReadError:
            return b"".join(pieces)
        if not pieces:
            raise EOFError
        return b"".join(pieces)

    def _say_goodbye(self) -> None:
        with suppress(ssl.SSLError):  # it wants the client's goodbye too, and does not get it
            self._tls.unwrap()
        if self._outgoing.pending:
            self._send_raw(self._outgoing.read())
