"""The port of an open HTTP connection: what the pool asks of it, whatever its protocol.

A protocol is a sibling file that implements it: http1_connection.py and http2_connection.py. Which
one a connection speaks is decided when its handshake is over: see handshake.py.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol, TypeVar

from delivery.http.request import Request

Token = TypeVar("Token")
"""What the caller knows its request by. The transport gives it back with the response."""


class Response(NamedTuple):
    """The server's response to one post.

    `keeps_alive` is whether an HTTP/1.1 connection can be used again after it.
    """

    status: int
    body: bytes = b""
    keeps_alive: bool = True


SILENT_SECONDS = 1.0
"""A server that has sent nothing for this long, though requests are under way, is not just about to
answer; and it had not closed the connection before they were sent: that shows within a latency."""

Ending = tuple[Token, Response | Exception]
"""A token with the response to its request, or with the reason why there is none."""


class ClosedError(ConnectionError):
    """The server closed the connection before it had answered."""


class NotProcessedError(ConnectionError):
    """The server has not processed the request: to repeat it is no risk, and no try."""


class IdleClosedError(NotProcessedError):
    """The server had closed the connection while it was idle: the post was in vain."""


class MalformedAnswerError(Exception):
    """The server sent what is no answer to a post."""

    def __init__(self, found: bytes, expected: str) -> None:
        super().__init__(f"the server sent {found[:80]!r}, expected {expected}")


class Watched(Protocol):
    """What a selector watches: a connection, or the handshake before it.

    `interest` is what it waits for, as a mask of `selectors`; `watched` is the mask that the
    selector has been told.
    """

    interest: int
    watched: int

    def fileno(self) -> int:
        """Return the descriptor of its socket."""
        ...


class HttpConnection(Watched, Protocol[Token]):
    """An open connection, which never blocks.

    The pool sets `was_idle` when the connection was idle between two broadcasts: the server may
    have closed it meanwhile.
    """

    was_idle: bool

    @property
    def protocol(self) -> str:
        """Return the name of what it speaks, as ALPN has it: RFC 7301."""
        ...

    @property
    def room(self) -> int:
        """How many requests it can take now."""
        ...

    @property
    def under_way(self) -> int:
        """How many requests it carries."""
        ...

    @property
    def is_usable(self) -> bool:
        """Whether it takes requests now or later, or has some under way; else it is closed."""
        ...

    @property
    def takes_none(self) -> bool:
        """Whether the server has told that it takes no request at all now."""
        ...

    @property
    def wants_calm(self) -> bool:
        """Whether the server has asked for fewer requests: none is opened to it for a while."""
        ...

    def send(self, requests: Sequence[tuple[Token, Request]], now: float) -> None:
        """Begin requests, as many as there is room for at most; write what the socket takes.

        `now` is in monotonic seconds. Raises OSError when the connection is lost: `close` returns
        these requests, too. A connection that carries many does not raise: its end is found by the
        next `advance`, when what came before it has been read.
        """
        ...

    def advance(self) -> Sequence[Ending[Token]]:
        """Send and receive as far as the socket allows; return the requests that have ended.

        Also called while nothing is under way, when the socket becomes readable: TLS may have
        sent messages of its own. Raises OSError when the connection is lost or unfit for the next
        request, MalformedAnswerError for what is no answer.
        """
        ...

    def look(self, now: float) -> None:
        """Take note of the time, in monotonic seconds; to be called every now and then, always.

        Raises OSError when the connection is known to be dead by now.
        """
        ...

    def give_up(self, until: float, error: Exception) -> Sequence[Ending[Token]]:
        """Give up the requests that were begun by then; return them, as `close` does.

        A connection that carries one request at a time is not usable any more after it.
        """
        ...

    def close(self, error: Exception) -> Sequence[Ending[Token]]:
        """Close at once; return the requests under way.

        Each one has its response if the status has come, else the reason why there is none, made
        from `error`.
        """
        ...
