"""One keep-alive connection to `@connections`: carries one post at a time and never blocks."""

import os
import selectors
import socket
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING

from delivery.http.http1_head import MalformedAnswerError
from delivery.http.http1_response import Response, ResponseParser

if TYPE_CHECKING:
    from delivery.post import Post

Wrap = Callable[[socket.socket], ssl.SSLSocket]
READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
_ANSWER_BYTES = 16 * 1024
"""How much is read at once: a whole TLS record, so that nothing stays where no selector sees it.

RFC 8446, 5.1
"""

_DELIVERED = 200


class ClosedError(ConnectionError):
    """The server closed the connection before it had answered."""


class HttpConnection:
    """Opens, sends and receives as far as its socket lets it at the moment.

    `interest` is what the socket waits for, as a mask of `selectors`; `post` is what it carries,
    None while it opens or is idle; `answers` counts the posts it has carried; `has_heard` is
    whether anything of the answer under way has come. The pool's own are `watched`, what the
    selector has been told, `idle_since_ms`, since when it has been idle, in epoch milliseconds,
    and `has_rested`, whether it has been idle between two runs.
    """

    __slots__ = (
        "_parser",
        "_socket",
        "_unsent",
        "_wrap",
        "answers",
        "has_heard",
        "has_rested",
        "idle_since_ms",
        "interest",
        "is_open",
        "post",
        "watched",
    )

    def __init__(self, sock: socket.socket, wrap: Wrap | None) -> None:
        """Take a connecting socket in non-blocking mode, and what puts TLS around it, if any."""
        self._socket = sock
        self._wrap = wrap
        self._unsent: bytes | memoryview = b""
        self._parser = ResponseParser()
        self.interest = WRITE
        self.watched = 0
        self.idle_since_ms = 0
        self.is_open = False
        self.post: Post | None = None
        self.answers = 0
        self.has_heard = False
        self.has_rested = False

    def fileno(self) -> int:
        """Return what a selector watches."""
        return self._socket.fileno()

    def open_on(self) -> bool:
        """Go on opening; tell whether it is done. Raises OSError when that fails."""
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
            return False
        except ssl.SSLWantWriteError:
            self.interest = WRITE
            return False
        self.interest = READ
        self.is_open = True
        return True

    def send(self, request: bytes) -> None:
        """Start a post on an open connection. Raises OSError when the connection is lost."""
        self._parser = ResponseParser()
        self._unsent = request
        self.has_heard = False
        self._send_on()

    def advance(self) -> Response | None:
        """Go on with a post; return the answer when it is whole.

        Raises OSError when the connection is lost, MalformedAnswerError for what is no answer.
        """
        if self._unsent:
            self._send_on()
        return self._receive()

    def end(self) -> Response | None:
        """Return the answer if its status has come, though the rest of it never will."""
        answer = self._parser.end()
        return None if answer and answer.status == _DELIVERED and self._unsent else answer

    def is_quiet(self) -> bool:
        """Tell whether an idle connection that became readable can still be used.

        It can after TLS's own messages (session tickets), not after an end or stray bytes.
        """
        try:
            self._socket.recv(1)
        except (ssl.SSLWantReadError, BlockingIOError):
            return True
        except OSError:
            pass
        return False

    def close(self) -> None:
        """Close without ceremony: no answer is awaited any more."""
        self._socket.close()

    def _raise_if_not_connected(self) -> None:
        error = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            raise OSError(error, os.strerror(error))

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
            data = self._socket.recv(_ANSWER_BYTES)
        except (ssl.SSLWantReadError, BlockingIOError):
            return None
        except ssl.SSLWantWriteError:
            self.interest = READ | WRITE
            return None
        if not data:
            return self._closed()
        self.has_heard = True
        answer = self._parser.feed(data)
        if answer is None:
            return None
        self.answers += 1
        return self._judged(answer) if self._unsent else answer

    def _judged(self, answer: Response) -> Response:
        """Return an answer to half a post: it may be refused early, but not delivered."""
        if answer.status == _DELIVERED:
            raise MalformedAnswerError(b"200", "no such answer before the whole post was sent")
        return answer._replace(keeps_alive=False)

    def _closed(self) -> Response:
        answer = self.end()
        if answer is None:
            raise ClosedError("the server closed the connection before it had answered")
        return answer
