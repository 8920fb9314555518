"""What can happen to one post: a closed set of frozen values, and the scripts that choose.

Every reaction waits `delay_seconds` first. `delivers` says whether the message has reached its
connection, whatever the poster gets to know of it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from testbed.stand_in.http2_frames import ErrorCode, Setting


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
    """Bytes as they are; `status` is what they count as (0: as no answer).

    Over HTTP/2 they are sent on the connection, among its frames; `data` may make them of the
    stream's id.
    """

    data: bytes | Callable[[int], bytes]
    close: bool = False
    status: int = 0

    @property
    def delivers(self) -> bool:
        """Whether the message reached its connection."""
        return self.status == 200


@dataclass(frozen=True, slots=True)
class StreamReset(_Delayed):
    """HTTP/2: the post's stream is reset, with a code, before a 200, within it, or after it.

    Over HTTP/1.1, where a stream is a connection, it is what `Reset` is.
    """

    code: int = ErrorCode.INTERNAL_ERROR
    when: Literal["before", "during", "after"] = "before"

    @property
    def delivers(self) -> bool:
        """Whether the message reached its connection."""
        return self.when != "before"


@dataclass(frozen=True, slots=True)
class GoAway(_Delayed):
    """HTTP/2: the connection takes no more posts, and closes when those that count have ended.

    `last` says which ones count as processed: none, those before this post, this one too, or all
    that have come. They are answered as they would have been, this one with 200; no other ones.
    """

    code: int = ErrorCode.NO_ERROR
    last: Literal["none", "before", "this", "all"] = "this"

    @property
    def delivers(self) -> bool:
        """Whether the message reached its connection."""
        return self.last in ("this", "all")


@dataclass(frozen=True, slots=True)
class Announce(_Delayed):
    """HTTP/2: the connection's settings change; what happens to the post begins after that."""

    settings: tuple[tuple[Setting, int], ...]
    then: "Reaction" = Answer(200)

    @property
    def delivers(self) -> bool:
        """Whether the message reached its connection."""
        return self.then.delivers


Reaction = Answer | Reset | HalfAnswer | Silence | Garbage | Raw | StreamReset | GoAway | Announce
Script = Callable[[Post], Reaction]


def refuse(*, delay_seconds: float = 0.0) -> StreamReset:
    """Return what says that a post's stream was not processed at all."""
    return StreamReset(ErrorCode.REFUSED_STREAM, delay_seconds=delay_seconds)


def calm(*, delay_seconds: float = 0.0) -> GoAway:
    """Return what asks for less: neither this post nor later ones of the connection count."""
    return GoAway(ErrorCode.ENHANCE_YOUR_CALM, "before", delay_seconds=delay_seconds)
