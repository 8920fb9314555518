"""One client's HTTP/2 connection: the shell around `Http2Session`, which reads, writes and closes.

All that one turn of the server has made for a client is written at once: see `flush`.
"""

from collections.abc import Iterable
from selectors import EVENT_READ, EVENT_WRITE

from testbed.stand_in.http2_frames import Setting
from testbed.stand_in.http2_session import Http2Session
from testbed.stand_in.server_context import ServerContext
from testbed.stand_in.wire import Wire

_LINGER_SECONDS = 1.0


class Http2Connection:
    """Carries many posts at once."""

    __slots__ = (
        *("_has_finished", "_is_ending", "_is_open", "_is_writing"),
        *("_server_context", "_session", "_wire"),
    )

    def __init__(self, wire: Wire, server_context: ServerContext) -> None:
        self._wire = wire
        self._server_context = server_context
        self._is_open = True
        self._is_writing = False  # the socket is full
        self._is_ending = False  # to be closed as soon as all is written: what comes is dropped
        self._has_finished = False
        self._session = Http2Session(self, server_context)
        server_context.selector.register(wire, EVENT_READ, self.handle)

    def handle(self, events: int) -> None:
        """Do what the socket is ready for."""
        try:
            if events & EVENT_WRITE:
                self._wire.flush()
                self.touch()
            if events & EVENT_READ and self._is_open:
                self.take(self._wire.receive())
        except (OSError, EOFError):
            self.close()

    def take(self, data: bytes) -> None:
        """Take what the client has sent."""
        if data and not self._is_ending:
            self._session.feed(data)
            self.touch()

    def touch(self) -> None:
        """Have `flush` called at the end of the server's turn."""
        self._server_context.unflushed[self] = None

    def flush(self) -> None:
        """Write what waits to be written, and say goodbye if that is to be all."""
        if not self._is_open:
            return
        try:
            self._write()
            if self._is_ending and not (self._has_finished or self._wire.has_unsent):
                self._has_finished = True
                self._wire.finish()
        except OSError:
            self.close()

    def announce(self, settings: Iterable[tuple[Setting, int]]) -> None:
        """Change the connection's settings."""
        self._session.announce(settings)
        self.touch()

    def end(self) -> None:
        """Close as soon as all is written and the client has closed, or a second later.

        Closing at once would reset the connection of a client that is still sending, and it would
        never read the last answers.
        """
        if not self._is_ending:
            self._is_ending = True
            self._server_context.timers.push(_LINGER_SECONDS, self.close)
            self.touch()

    def reset(self) -> None:
        """Write what waits to be written, then reset the TCP connection."""
        self.flush()
        if self._leave():
            self._wire.reset()

    def close(self) -> None:
        """Close at once; after that nothing happens any more."""
        if self._leave():
            self._wire.close()

    @property
    def is_open(self) -> bool:
        """Whether anything can still be written."""
        return self._is_open

    @property
    def _is_busy(self) -> bool:
        return self._session.is_busy

    def _reset(self) -> None:
        self.reset()

    def _write(self) -> None:
        """Write; a client that does not read its answers is not asked for more posts."""
        outbox = self._session.outbox
        if outbox.frames:
            self._wire.send(outbox.take())
        if self._wire.has_unsent != self._is_writing:
            self._is_writing = self._wire.has_unsent
            event = EVENT_WRITE if self._is_writing else EVENT_READ
            self._server_context.selector.modify(self._wire, event, self.handle)

    def _leave(self) -> bool:
        """Stop listening to the wire, once; returns whether this was the time."""
        was_open, self._is_open = self._is_open, False
        if was_open:
            self._server_context.selector.unregister(self._wire)
        return was_open
