"""What can happen to one post: a closed set of frozen values, and the scripts that choose.

Every reaction waits `delay_seconds` first. `delivers` says whether the message has reached its
connection, whatever the poster gets to know of it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple


class Post(NamedTuple):
    """One post that was read: `attempt` is 1 for the first post to its connection."""

    connection_id: str
    attempt: int
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class _Delayed:
    """What all reactions have: a delay, counted from the post's last byte."""

    delay_seconds: float = 0.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.delay_seconds < float("inf"):
            raise ValueError(f"delay_seconds is {self.delay_seconds}; expected 0 or more")


@dataclass(frozen=True, slots=True)
class Answer(_Delayed):
    """A whole answer; `close` says `Connection: close` and does it."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    close: bool = False
    chunked: bool = False

    @property
    def delivers(self) -> bool:
        """Whether the message reached its connection."""
        return self.status == 200


@dataclass(frozen=True, slots=True)
class Reset(_Delayed):
    """The TCP connection is reset: before a 200, in the middle of its bytes, or after it."""

    when: Literal["before", "during", "after"] = "before"

    @property
    def delivers(self) -> bool:
        """Whether the message reached its connection: it did if its answer was on the way."""
        return self.when != "before"


@dataclass(frozen=True, slots=True)
class HalfAnswer(_Delayed):
    """Half of a 200's bytes, then silence on an open connection."""

    delivers = True


@dataclass(frozen=True, slots=True)
class Silence(_Delayed):
    """Nothing, for ever, on an open connection."""

    delivers = False


@dataclass(frozen=True, slots=True)
class Garbage(_Delayed):
    """Bytes that are no answer, on a connection that stays open."""

    data: bytes = b"\x00\xff this is not HTTP\r\n\r\n"

    delivers = False


@dataclass(frozen=True, slots=True)
class Raw(_Delayed):
    """Bytes as they are; `status` is what they count as (0: as no answer)."""

    data: bytes
    close: bool = False
    status: int = 0

    @property
    def delivers(self) -> bool:
        """Whether the message reached its connection."""
        return self.status == 200


Reaction = Answer | Reset | HalfAnswer | Silence | Garbage | Raw
Script = Callable[[Post], Reaction]
