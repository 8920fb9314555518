"""HTTP/1.1: one keep-alive connection, which carries one post at a time.

The file has a little more than 200 lines, to be read beside http2_connection.py.
"""

import selectors
import socket
import ssl
from collections.abc import Sequence
from typing import Generic

from delivery.http.connection import (
    SILENT_SECONDS,
    ClosedError,
    Ending,
    IdleClosedError,
    MalformedAnswerError,
    Response,
    Token,
)
from delivery.http.http1_request import text_of
from delivery.http.http1_response import ResponseParser
from delivery.http.request import Request

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
_READ_BYTES = 16 * 1024
"""How much is read at once: a whole TLS record, so that nothing stays where no selector sees it.

RFC 8446, 5.1
"""

_DELIVERED = 200


class Http1Connection(Generic[Token]):
    """Sends and receives as far as its socket lets it at the moment: see `HttpConnection`."""

    __slots__ = (
        "_answers",
        "_begun_at",
        "_failure",
        "_has_received",
        "_is_late",
        "_parser",
        "_socket",
        "_token",
        "_unsent",
        "interest",
        "is_usable",
        "room",
        "was_idle",
        "watched",
    )

    protocol = "http/1.1"
    takes_none = wants_calm = False

    def __init__(self, sock: socket.socket) -> None:
        """Take an open socket in non-blocking mode, with TLS around it or without."""
        self._socket = sock
        self._unsent: bytes | memoryview = b""
        self._parser = ResponseParser()
        self._token: Token | None = None
        self._begun_at = 0.0
        self._failure: OSError | None = None
        """Why the post cannot be sent on. An answer that has come before is still read."""
        self._answers = 0
        self._has_received = False
        """Whether anything of the answer under way has come."""
        self._is_late = False
        """Whether the post under way had no answer for long, as of the last look."""
        self.interest = READ
        self.watched = 0
        self.room = 1
        self.is_usable = True
        self.was_idle = False

    def fileno(self) -> int:
        """Return what a selector watches."""
        return self._socket.fileno()

    @property
    def under_way(self) -> int:
        """How many posts it carries: one at most."""
        return int(self._token is not None)

    def send(self, requests: Sequence[tuple[Token, Request]], now: float) -> None:
        """Begin a post, one at a time: see `HttpConnection`."""
        ((self._token, request),) = requests
        self._begun_at = now
        self.room = 0
        self._parser = ResponseParser()
        self._unsent = text_of(request)
        self._has_received = self._is_late = False
        self._send_on()

    def advance(self) -> Sequence[Ending[Token]]:
        """Go on with the post, or look at what has come to an idle connection."""
        if self._token is None:
            self._require_quiet()
            return ()
        if self._unsent and not self._failure:
            self._try_to_send_on()
        response = self._receive()
        if response is None:
            return ()
        token, self._token = self._token, None
        if response.keeps_alive:
            self.room = 1
        else:
            self.is_usable = False
        return ((token, response),)

    def look(self, now: float) -> None:
        """Take note whether the post under way is late; a dead connection has one that is."""
        self._is_late = self._token is not None and now - self._begun_at >= SILENT_SECONDS

    def give_up(self, until: float, error: Exception) -> Sequence[Ending[Token]]:
        """Give up the post under way; the connection cannot be used again."""
        if self._token is None or self._begun_at > until:
            return ()
        self.is_usable = False
        return self._end(error)

    def close(self, error: Exception) -> Sequence[Ending[Token]]:
        """Close at once; return the post under way, if there is one."""
        self._socket.close()
        self.is_usable = False
        return self._end(error)

    def _end(self, error: Exception) -> Sequence[Ending[Token]]:
        if self._token is None:
            return ()
        token, self._token = self._token, None
        return ((token, self._known_response() or self._loss(error)),)

    def _loss(self, error: Exception) -> Exception:
        """Return why there is no answer; a server may close what is idle without a word."""
        was_used = (self._answers or self.was_idle) and not self._has_received
        is_late = isinstance(error, TimeoutError) or self._is_late
        return IdleClosedError(str(error)) if was_used and not is_late else error

    def _known_response(self) -> Response | None:
        """Return the response if its status has come, though its remainder never will."""
        response = self._parser.end()
        is_early = response and response.status == _DELIVERED and self._unsent
        return None if is_early else response

    def _require_quiet(self) -> None:
        """Raise unless an idle connection that became readable can still be used.

        It can after TLS's own messages (session tickets), not after an end or stray bytes.
        """
        try:
            self._socket.recv(1)
        except (ssl.SSLWantReadError, BlockingIOError):
            return
        raise ClosedError("the server closed the connection, or sent what no post asked for")

    def _try_to_send_on(self) -> None:
        """Go on sending; a server that has closed may have answered before."""
        try:
            self._send_on()
        except OSError as error:
            self._failure = error
            self.interest = READ

    def _send_on(self) -> None:
        try:
            sent = self._socket.send(self._unsent)
        except (ssl.SSLWantWriteError, BlockingIOError):
            sent = 0
        except ssl.SSLWantReadError:
            self.interest = READ
            return
        if sent == len(self._unsent):
            self._unsent = b""
            self.interest = READ
        else:
            self._unsent = memoryview(self._unsent)[sent:]
            self.interest = READ | WRITE

    def _receive(self) -> Response | None:
        """Read once: a server that never stops sending must not hold up the others."""
        try:
            data = self._socket.recv(_READ_BYTES)
        except (ssl.SSLWantReadError, BlockingIOError):
            if self._failure:
                raise self._failure from None
            return None
        except ssl.SSLWantWriteError:
            self.interest = READ | WRITE
            return None
        if not data:
            return self._closed()
        self._has_received = True
        response = self._parser.feed(data)
        if response is None:
            return None
        self._answers += 1
        return self._checked(response) if self._unsent else response

    def _checked(self, response: Response) -> Response:
        """Return the response to half a post: the post may be refused early, but not delivered."""
        if response.status == _DELIVERED:
            raise MalformedAnswerError(b"200", "no such answer before the whole post was sent")
        return response._replace(keeps_alive=False)

    def _closed(self) -> Response:
        response = self._known_response()
        if response is None:
            raise ClosedError("the server closed the connection before it had answered")
        return response
