"""The port that every way of posting implements: what it takes, and how a caller watches it."""

import math
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from broadcasting.breaker import Breaker
from broadcasting.connection import Connection
from broadcasting.outcome import Settlement

LAST_ANSWERS_SECONDS = 1.0
"""The last post is sent this long before the deadline, so that its answer still comes in; where
there is little time, its last quarter is kept for the answers."""

LONGEST_ANSWER_SECONDS = 6.0
"""No answer takes longer than this. A caller that stops the posts at a time of its own sets the
deadline this long after it, if it wants all answers."""

TICK_SECONDS = 0.1
"""While there is nothing to yield, `Watch.tick` is called this often."""


class ForbiddenError(Exception):
    """There is nothing to sign posts with: no post can succeed."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


def _nothing() -> None:
    pass


@dataclass(slots=True)
class Watch:
    """How a caller watches over one call of `deliver`. Times are monotonic seconds.

    `breaker` is told what the posts come to, and stops them when the trouble is everyone's. From
    `pause_at` on no post is started until the caller has moved that time; from `stop_at` on none
    is started at all, though answers are waited for until the deadline. `tick` is called in the
    caller's thread every 0.1 s while there is nothing to yield.
    """

    breaker: Breaker = field(default_factory=Breaker)
    pause_at: float = math.inf
    stop_at: float = math.inf
    tick: Callable[[], None] = _nothing


class Audience(Iterator[Connection], Protocol):
    """The connections that a frame is for, one after the other."""

    @property
    def to_come(self) -> int:
        """About how many connections are still to be taken. Any thread may ask.

        This many posts are reserved of a shared pace in one go.
        """
        ...


class FanOut(Protocol):
    """Posts one frame to many connections at once."""

    @property
    def is_paced(self) -> bool:
        """Whether posts have been waiting for the pace alone: more workers would not be faster."""
        ...

    @property
    def protocol(self) -> str:
        """What the connections speak that were open in the last call of `deliver`.

        As ALPN names it: `h2` or `http/1.1`, `h2+http/1.1` where both were spoken, and nothing
        where none was open.
        """
        ...

    @property
    def calmed(self) -> int:
        """How often the server has asked for calm, all calls of `deliver` together."""
        ...

    def deliver(
        self,
        frame: str,
        audience: Audience,
        deadline: float,
        *,
        watch: Watch | None = None,
    ) -> Generator[Settlement, None, None]:
        """Yield exactly one settlement for each connection taken, in the order they end.

        Connections are taken lazily, none after `deadline` (monotonic seconds of the port's clock)
        or once the breaker is open. The last post is sent LAST_ANSWERS_SECONDS before that; a
        connection that has not ended by the deadline is yielded as PENDING. Raises, after the last
        settlement, whatever the audience raises.
        """
        ...
