"""What one post came to, and what that means for its connection."""

from enum import Enum, auto
from typing import NamedTuple

from broadcasting.connection import Connection


class Outcome(Enum):
    """How one connection ends within one invocation, or that it has not ended yet."""

    DELIVERED = "delivered"
    GONE = "gone"
    FAILED = "failed"
    EXPIRED = "expired"
    """It is not posted to any more: the broadcast is too old."""
    PENDING = "pending"
    """It has not ended: it was not reached in time, or a later try may still reach it."""

    __hash__ = object.__hash__  # that of Enum is Python code, and each settlement is counted by it


class Verdict(Enum):
    """What to do after one answer."""

    DELIVERED = auto()
    GONE = auto()
    REFUSED = auto()
    """This post can never succeed."""
    THROTTLED = auto()
    """Try again: too many requests, or this one client's buffer is full."""
    YOUNG = auto()
    """Try again: 410, but the connection may not be open yet."""
    LOST = auto()
    """Try again: the service did not answer."""
    FORBIDDEN = auto()
    """Try again: this connection is refused, or all are, for our own credentials or permissions."""

    __hash__ = object.__hash__  # as above


class Settlement(NamedTuple):
    """The end of one connection in one invocation.

    `tries` counts the posts that were sent, and `throttles` those that were answered with 429.
    `reason` is the last answer that was not a success, and `verdict` says what to do after it.
    """

    connection: Connection
    outcome: Outcome
    tries: int = 0
    throttles: int = 0
    reason: str = ""
    verdict: Verdict | None = None


_SERVER_ERRORS = range(500, 600)
_BY_STATUS = {
    200: Verdict.DELIVERED,
    403: Verdict.FORBIDDEN,
    408: Verdict.LOST,
    410: Verdict.GONE,
    429: Verdict.THROTTLED,
}


def verdict_of(status: int, *, young: bool) -> Verdict:
    """Judge an HTTP status of `@connections`; `young` says whether the connection is young.

    A young connection's 410 is tried again: `$connect` runs before the socket is open.
    """
    verdict = _BY_STATUS.get(status)
    if verdict is Verdict.GONE and young:
        return Verdict.YOUNG
    if verdict is None:
        return Verdict.LOST if status in _SERVER_ERRORS else Verdict.REFUSED
    return verdict
