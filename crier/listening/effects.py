"""What a client without I/O asks for, and what it tells.

`AskToken`, `Open`, `Send` and `Close` are for the code around it to do; all others are events.
Sockets and tokens are named by numbers, which are never used again.
"""

from dataclasses import dataclass
from enum import StrEnum

from broadcasting.followed_channel import Event


class State(StrEnum):
    """Where a client is."""

    IDLE = "idle"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    WAITING = "waiting"
    CLOSED = "closed"


class TokenReason(StrEnum):
    """Why a token is asked for."""

    FIRST = "first"
    RECONNECT = "reconnect"
    REFUSED = "refused"
    """The last connection was refused, or the server did not know it any more."""
    RENEWAL = "renewal"


@dataclass(frozen=True, slots=True)
class AskToken:
    """Get a token, or find that none is given: then call `token` with the number `ask`."""

    ask: int
    reason: TokenReason


@dataclass(frozen=True, slots=True)
class Open:
    """Open a socket with a token: then call `opened`, and `ended` when it has ended."""

    socket: int
    token: str | None


@dataclass(frozen=True, slots=True)
class Send:
    """Send a text."""

    socket: int
    text: str


@dataclass(frozen=True, slots=True)
class Close:
    """Close a socket, or give it up if it is not open yet. What it still says is not heard."""

    socket: int


@dataclass(frozen=True, slots=True)
class Followed:
    """Something came of a channel: a message, a gap, or all that was missed."""

    channel: str
    event: Event


@dataclass(frozen=True, slots=True)
class Changed:
    """The state is another one.

    `retry_in_ms` is when the client tries again, while it waits; `why` is what is known of a try
    that has failed, in words.
    """

    before: State
    state: State
    reason: str
    retry_in_ms: float | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something went wrong; with `retry` the client goes on by itself."""

    code: str
    message: str
    retry: bool


Effect = AskToken | Open | Send | Close | Followed | Changed | Trouble

Outbox = list[Effect]
"""Effects in the order in which they came about; the parts of a client write into one."""
