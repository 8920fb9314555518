"""A new connection until it is known what it speaks: over TLS, ALPN says so (RFC 7301)."""

from collections.abc import Sequence
from selectors import EVENT_READ, EVENT_WRITE

from testbed.stand_in.http2_connection import Http2Connection
from testbed.stand_in.http_connection import HttpConnection
from testbed.stand_in.server_context import ServerContext
from testbed.stand_in.wire import HTTP1, HTTP2, Wire

PROTOCOLS = (HTTP2, HTTP1)
"""What the stand-in speaks over TLS, the preferred one first; without TLS it speaks HTTP/1.1."""


def checked_protocols(protocols: Sequence[str]) -> tuple[str, ...]:
    """Return protocols that can be spoken. Raises ValueError."""
    if not protocols or len(set(protocols)) < len(protocols) or set(protocols) - set(PROTOCOLS):
        raise ValueError(f"protocols are {protocols}; expected one or both of {PROTOCOLS}")
    return tuple(protocols)


class Greeting:
    """Hands its wire on as soon as the protocol is known, with what has come until then.

    A client that names none of `protocols` speaks HTTP/1.1 if that is one of them; else it is
    hung up on.
    """

    __slots__ = ("_protocols", "_server_context", "_wire")

    def __init__(self, wire: Wire, server_context: ServerContext, protocols: Sequence[str]) -> None:
        self._wire = wire
        self._server_context = server_context
        self._protocols = protocols
        if wire.protocol is None:
            server_context.selector.register(wire, EVENT_READ, self.handle)
        else:
            self._speak(wire.protocol, b"")

    def handle(self, events: int) -> None:
        """Go on with the handshake."""
        try:
            if events & EVENT_WRITE:
                self._wire.flush()
            data = self._wire.receive() if events & EVENT_READ else b""
            self._watch()
        except (OSError, EOFError):
            self._hang_up()
            return
        protocol = self._wire.protocol
        if protocol is None:
            return
        if protocol not in self._protocols:
            self._hang_up()
            return
        self._server_context.selector.unregister(self._wire)
        self._speak(protocol, data)

    def _speak(self, protocol: str, data: bytes) -> None:
        tally = self._server_context.post_handler.tally
        tally.connections_by_protocol[protocol] += 1
        is_http2 = protocol == HTTP2
        connection = (Http2Connection if is_http2 else HttpConnection)(
            self._wire, self._server_context
        )
        try:
            connection.take(data)
        except OSError:
            connection.close()

    def _watch(self) -> None:
        """Wait for what the handshake waits for."""
        events = EVENT_READ | (EVENT_WRITE if self._wire.has_unsent else 0)
        self._server_context.selector.modify(self._wire, events, self.handle)

    def _hang_up(self) -> None:
        self._server_context.selector.unregister(self._wire)
        self._wire.close()
