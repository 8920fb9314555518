"""The port that every way of posting implements, and what a caller watches it with."""

import math
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field
from typing import Protocol

from broadcasting.audience import Connection
from broadcasting.breaker import Breaker
from broadcasting.outcome import Settlement

LAST_ANSWERS_SECONDS = 1.0
"""How long before the deadline the last post is sent, so that its answer still comes in."""

TICK_SECONDS = 0.1
"""How often `Watch.tick` is called at least."""


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

    `breaker` hears what posts come to, and stops them when that is everyone's trouble. No post is
    started from `pause_at` on until the caller, and it alone, moves that; none at all from
    `stop_at` on, though answers are waited for until the deadline. `tick` is called in the
    caller's thread every 0.1 s while there is nothing to yield.
    """

    breaker: Breaker = field(default_factory=Breaker)
    pause_at: float = math.inf
    stop_at: float = math.inf
    tick: Callable[[], None] = _nothing


class FanOut(Protocol):
    """Posts one frame to many connections at once."""

    @property
    def is_paced(self) -> bool:
        """Whether posts have been waiting for the pace alone: more workers would not be faster."""
        ...

    def deliver(
        self,
        frame: str,
        connections: Iterable[Connection],
        deadline: float,
        *,
        watch: Watch | None = None,
    ) -> Generator[Settlement, None, None]:
        """Yield exactly one settlement for each connection taken, in the order they end.

        Connections are taken lazily, none after `deadline` (on the port's monotonic clock, in
        seconds) or once the breaker is open; those that have not ended by then are yielded as
        PENDING. Raises, after the last settlement, whatever `connections` raises. A
        `__length_hint__` of `connections` lets as much be asked for of a shared pace in one go.
        """
        ...
