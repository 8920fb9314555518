"""The port that every way of posting implements, and the one error that stops all posting."""

from collections.abc import Generator, Iterable
from typing import Protocol

from broadcasting.audience import Connection
from broadcasting.outcome import Settlement


class ForbiddenError(Exception):
    """`@connections` refuses our credentials or permissions: no post can succeed."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(
            f"@connections refused us: {reason}; expected credentials that may "
            "execute-api:ManageConnections on this stage; check the function's role and "
            "CALLBACK_URL"
        )


class FanOut(Protocol):
    """Posts one frame to many connections at once."""

    @property
    def is_paced(self) -> bool:
        """Whether posts have been waiting for the pace alone: more workers would not be faster."""
        ...

    def deliver(
        self, frame: str, connections: Iterable[Connection], deadline: float
    ) -> Generator[Settlement, None, None]:
        """Yield exactly one settlement for each connection taken, in the order they end.

        Connections are taken lazily, none after `deadline` (on the port's monotonic clock, in
        seconds); those that have not ended by then are yielded as LEFT. Raises ForbiddenError,
        after the last settlement, when `@connections` refuses us, and likewise whatever
        `connections` raises. A `__length_hint__` of `connections` lets as much be asked for
        of a shared pace in one go.
        """
        ...
