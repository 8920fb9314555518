"""HTTP/2: one connection, which carries many posts at once. The shell around http2_protocol.py.

What begins in one turn of the loop is written together, and what has come is read together.
"""

import selectors
import socket
import ssl
from collections.abc import Mapping, Sequence
from typing import Generic

from delivery.http.connection import (
    SILENT_SECONDS,
    ClosedError,
    Ending,
    IdleClosedError,
    NotProcessedError,
    Token,
)
from delivery.http.http2_frames import ErrorCode, Http2Error, Setting
from delivery.http.http2_protocol import Http2Protocol
from delivery.http.http2_settings import StreamLimit
from delivery.http.request import Request

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE

PING_SECONDS = 2.0
"""A server that does not answer a ping for this long is dead, not slow."""

_READ_BYTES = 16 * 1024
"""A whole TLS record, so that nothing stays where no selector sees it: RFC 8446, 5.1."""

_MOST_RECORDS = 16
"""No more records than this are read at once."""


class Http2Connection(Generic[Token]):
    """Sends and receives as far as its socket lets it at the moment: see `HttpConnection`."""

    __slots__ = (
        "_failure",
        "_has_answered",
        "_has_received",
        "_is_silent",
        "_pinged_at",
        "_protocol",
        "_received_at",
        "_socket",
        "_unsent",
        "interest",
        "was_idle",
        "watched",
    )

    protocol = "h2"

    def __init__(self, sock: socket.socket, limit: StreamLimit | None = None) -> None:
        """Take an open socket in non-blocking mode, with TLS around it or without.

        What is known of the server from earlier connections is in `limit`.
        """
        self._socket = sock
        self._protocol: Http2Protocol[Token] = Http2Protocol(
            is_tls=isinstance(sock, ssl.SSLSocket), limit=limit
        )
        self._unsent = memoryview(b"")
        self._failure: OSError | None = None
        """Why nothing can be written any more. What has come before is still read."""
        self._has_answered = False
        self._has_received = False
        """Whether anything has come since it carried nothing."""
        self._is_silent = False
        """Whether nothing has come since the last look."""
        self._received_at = self._pinged_at = 0.0
        self.interest = READ
        self.watched = 0
        self.was_idle = False

    def fileno(self) -> int:
        """Return what a selector watches."""
        return self._socket.fileno()

    @property
    def room(self) -> int:
        """How many requests it can take now."""
        protocol = self._protocol
        return 0 if protocol.is_pinging and protocol.under_way else protocol.room

    @property
    def under_way(self) -> int:
        """How many requests it carries."""
        return self._protocol.under_way

    @property
    def is_usable(self) -> bool:
        """Whether it takes requests now or later, or has some under way."""
        return self._protocol.is_usable

    @property
    def takes_none(self) -> bool:
        """Whether the server allows no stream now."""
        return not self._protocol.sender.settings.max_streams

    @property
    def wants_calm(self) -> bool:
        """Whether the server has asked for fewer requests."""
        return self._protocol.is_calmed

    @property
    def told(self) -> Mapping[Setting, int]:
        """What the server has told of itself: its limits."""
        return self._protocol.sender.settings.told

    def send(self, requests: Sequence[tuple[Token, Request]], now: float) -> None:
        """Begin requests, and write them together: see `HttpConnection`."""
        if not self._protocol.under_way:
            self._has_received = False
            self._is_silent = False
        first_id = self._protocol.next_id
        for token, request in requests:
            self._protocol.begin(token, request, now)
        if not self._flush() and self._failure:
            self._protocol.end_unprocessed(first_id, NotProcessedError(str(self._failure)))

    def advance(self) -> Sequence[Ending[Token]]:
        """Read what has come: see `HttpConnection`."""
        data, wants_to_write = self._read()
        endings: Sequence[Ending[Token]] = ()
        if data:
            self._has_received, self._is_silent = True, False
            endings = self._protocol.feed(data)
            self._has_answered = self._has_answered or bool(endings)
        elif self._failure:
            raise self._failure
        self._flush()
        if wants_to_write:
            self.interest = READ | WRITE
        return endings

    def _read(self) -> tuple[bytes, bool]:
        """Return what has come, and whether TLS has to write before it can read on.

        A server that never stops sending must not hold up the others, so the records are counted.
        An end or a failure is raised when all that came before it has been returned.
        """
        records: list[bytes] = []
        wants_to_write = False
        try:
            while len(records) < _MOST_RECORDS:
                record = self._socket.recv(_READ_BYTES)
                if not record:
                    raise ClosedError("the server closed the connection before it had answered")
                records.append(record)
        except (ssl.SSLWantReadError, BlockingIOError):
            pass
        except ssl.SSLWantWriteError:
            wants_to_write = True
        except OSError as error:
            if not records:
                raise
            self._failure = self._failure or error
            self._protocol.leave()
        return b"".join(records), wants_to_write

    def look(self, now: float) -> None:
        """Ask a silent server for a sign of life: see `HttpConnection`."""
        if not (self._is_silent and self._protocol.under_way):
            self._received_at, self._is_silent = now, True
        elif self._failure:
            raise self._failure
        elif not self._protocol.is_pinging:
            if now - self._received_at >= SILENT_SECONDS:
                self._pinged_at = now
                self._protocol.ping()
                self._flush()
        elif now - self._pinged_at >= PING_SECONDS:
            raise TimeoutError(f"the server has not answered a ping within {PING_SECONDS} s")

    def give_up(self, until: float, error: Exception) -> Sequence[Ending[Token]]:
        """Give up requests; the others go on: see `HttpConnection`."""
        endings = self._protocol.give_up(until, error)
        if endings and self._protocol.is_pinging:  # it may be dead: nothing new is to wait there
            self._protocol.leave()
        self._flush()
        return endings

    def close(self, error: Exception) -> Sequence[Ending[Token]]:
        """Close at once, and tell the server why if the socket takes it."""
        code = error.code if isinstance(error, Http2Error) else ErrorCode.NO_ERROR
        self._protocol.sender.go_away(code)
        self._flush()
        self._socket.close()
        return self._protocol.end(self._loss(error))

    def _flush(self) -> int:
        """Write what is queued, as far as the socket takes it; return how many bytes.

        A server that has closed may have answered before: the end is found when all is read.
        Nothing follows what was cut off by a failure: it would be taken for the rest of a frame.
        """
        sender, written_bytes = self._protocol.sender, 0
        self.interest = READ
        try:
            while not self._failure and (self._unsent or sender.has_unsent):
                self._unsent = self._unsent or memoryview(sender.take())
                size = self._socket.send(self._unsent)
                written_bytes += size
                self._unsent = self._unsent[size:]
        except (ssl.SSLWantWriteError, BlockingIOError):
            self.interest = READ | WRITE
        except ssl.SSLWantReadError:
            pass
        except OSError as error:
            self._failure, self._unsent = error, memoryview(b"")
            self._protocol.leave()
        return written_bytes

    def _loss(self, error: Exception) -> Exception:
        """Return why there are no answers; a server may close what is idle without a word."""
        was_idle = (self._has_answered or self.was_idle) and not self._has_received
        is_late = isinstance(error, TimeoutError) or self._protocol.is_pinging
        return IdleClosedError(str(error)) if was_idle and not is_late else error
