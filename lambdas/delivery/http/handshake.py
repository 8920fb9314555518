"""A socket on its way to an open connection: TCP, then TLS, where the server chooses the protocol.

It carries no post yet.
"""

import os
import selectors
import socket
import ssl
from collections.abc import Callable
from typing import Any

from delivery.http.connection import HttpConnection
from delivery.http.http1_connection import Http1Connection
from delivery.http.http2_connection import Http2Connection
from delivery.http.http2_settings import StreamLimit

Wrap = Callable[[socket.socket], ssl.SSLSocket]
READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE


class Handshake:
    """Goes on as far as its socket lets it at the moment: see `Watched`."""

    __slots__ = ("_limit", "_socket", "_wrap", "interest", "watched")

    def __init__(
        self, sock: socket.socket, wrap: Wrap | None, limit: StreamLimit | None = None
    ) -> None:
        """Take a connecting socket in non-blocking mode, and what puts TLS around it, if any.

        What is known of the server from earlier connections is in `limit`.
        """
        self._socket = sock
        self._wrap = wrap
        self._limit = limit
        self.interest = WRITE
        self.watched = 0

    def fileno(self) -> int:
        """Return what a selector watches."""
        return self._socket.fileno()

    def advance(self) -> HttpConnection[Any] | None:
        """Go on; return the connection once it is open. Raises OSError when that fails.

        Which protocol it speaks, the server has chosen in the TLS handshake: RFC 7301. Without
        TLS, or a choice, it is HTTP/1.1.
        """
        if self._wrap is not None and not isinstance(self._socket, ssl.SSLSocket):
            self._raise_if_not_connected()
            self._socket = self._wrap(self._socket)
        try:
            if isinstance(self._socket, ssl.SSLSocket):
                self._socket.do_handshake()
            else:
                self._raise_if_not_connected()
        except ssl.SSLWantReadError:
            self.interest = READ
            return None
        except ssl.SSLWantWriteError:
            self.interest = WRITE
            return None
        return self._speak()

    def _speak(self) -> HttpConnection[Any]:
        sock = self._socket
        is_http2 = (
            isinstance(sock, ssl.SSLSocket)
            and sock.selected_alpn_protocol() == Http2Connection.protocol
        )
        return Http2Connection(sock, self._limit) if is_http2 else Http1Connection(sock)

    def close(self) -> None:
        """Give it up at once."""
        self._socket.close()

    def _raise_if_not_connected(self) -> None:
        error = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            raise OSError(error, os.strerror(error))
