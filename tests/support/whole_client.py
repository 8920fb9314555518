"""A whole client of crier.v1 in virtual time, as generated histories drive it: in any language.

A client is told what happens by commands, and answers each one with its effects, in order. Sockets,
questions for a token and subscriptions are named by numbers. The commands, with their fields:

| command | what happens |
|---|---|
| `begin` `options` | a client is made anew, at the time 0 |
| `connect`, `close` | the application asks for it |
| `subscribe` `handle` `channel` `first` | the application subscribes; `handle` is our number |
| `unsubscribe` `handle` | the application unsubscribes |
| `advance` `ms` | time passes: up to the first moment at which the client has an effect |
| `oversleep` `ms` | the machine sleeps: what was due meanwhile is done late, at its end |
| `token` `ask` `fate` `token` | a question for a token is answered: see `TOKEN_FATES` |
| `opened`, `ended` `socket`; `text` `socket` `text` | what a WebSocket tells |
| `nudge` `what` | the page, or the machine, tells something: see `nudges` |
| `positions` | nothing; `positions` of the client are read |
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Protocol

TOKEN_FATES: Final = ("given", "null", "unauthorized", "rejects", "nonsense")
"""What a function for tokens may do; one that hangs does nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a client is made. `seed` is its chance."""

    seed: int
    channels: tuple[str, ...] = ()
    is_ordered: bool = True
    token_in: str = "query"  # noqa: S105 - where it is put

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class AskToken:
    """The client asks for a token."""

    ask: int
    reason: str


@dataclass(frozen=True, slots=True)
class Open:
    """The client opens a WebSocket."""

    socket: int
    token: str | None


@dataclass(frozen=True, slots=True)
class Send:
    """The client sends a text."""

    socket: int
    text: str


@dataclass(frozen=True, slots=True)
class Close:
    """The client closes a WebSocket."""

    socket: int


@dataclass(frozen=True, slots=True)
class Told:
    """The client tells its application something.

    `kind` is an event's name (message, state, gap, recovered, error), with its detail as JavaScript
    has it; or `handled` (a subscription's handler was called), `left` (a handler has unsubscribed),
    `ready` and `refused` (of a subscription), or `fault` (an error that was not handled).
    """

    kind: str
    detail: Mapping[str, Any]


Effect = AskToken | Open | Send | Close | Told


class WholeClient(Protocol):
    """A client under test."""

    nudges: Sequence[str]
    """What `nudge` knows: `online`, and of a page `visible`, `hidden`, `pagehide`, `pageshow`."""
    has_handlers: bool
    """Whether subscriptions have handlers, and several may be of one channel."""

    @property
    def now_ms(self) -> float:
        """The virtual time."""

    @property
    def positions(self) -> Mapping[str, Mapping[str, Any]]:
        """Where the client is in each channel, as `positions` was last asked for."""

    def do(self, command: str, **fields: Any) -> Sequence[Effect]:
        """Have something happen."""
