"""One WebSocket connection, and the shard that its row is stored in."""

import zlib
from dataclasses import dataclass

from broadcasting.checks import is_unicode

SHARDS = 16
"""How many partitions hold the rows of all connections: read in parallel, none of them hot."""

CONNECTION_LIFE_SECONDS = 2 * 3600
"""API Gateway cuts a WebSocket connection after two hours.

https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
"""

EXPIRY_GRACE_SECONDS = 600
"""How long a row outlives the connection, so that no clock difference hides a live one."""

YOUNG_SECONDS = 60.0
"""A connection younger than this may answer 410 because its `$connect` has just returned."""

CLOCK_DIFFERENCE_SECONDS = 10.0
"""How far the clocks of API Gateway and of Lambda may be apart: far more than is usual."""

LATEST_MS = 253_402_300_799_999
"""The end of the year 9999 in epoch milliseconds: no time is later."""

_MOST_ROUNDS = 100
"""More rounds than are ever counted, and few enough to double a wait as often."""


@dataclass(frozen=True, slots=True)
class Connection:
    """One WebSocket connection, as its row in the connections table describes it.

    `connected_at` is in epoch milliseconds. `rounds` counts the invocations that tried to
    reach the connection and gave it back; a row that was just read has none.
    """

    id: str
    connected_at: int
    rounds: int = 0

    def __post_init__(self) -> None:
        """Refuse a connection that no event and no row describes. Raises ValueError."""
        if self._is_usual:  # one look, as each row of a broadcast comes by here
            return
        require_text("connection id", self.id)
        require_count("connected_at", self.connected_at, most=LATEST_MS)
        require_count("rounds", self.rounds, most=_MOST_ROUNDS)

    @property
    def _is_usual(self) -> bool:
        """Whether it is right at first sight; if not, it may be right all the same."""
        return (
            type(self.id) is str
            and self.id.isascii()
            and self.id != ""
            and type(self.connected_at) is type(self.rounds) is int
            and 0 <= self.connected_at <= LATEST_MS
            and 0 <= self.rounds <= _MOST_ROUNDS
        )

    def is_young(self, now_ms: int) -> bool:
        """Tell whether a 410 may only mean that the socket is not open yet.

        A connection of the future, by more than a clock difference, counts as old: its time tells
        nothing.
        """
        age_seconds = (now_ms - self.connected_at) / 1000
        return -CLOCK_DIFFERENCE_SECONDS <= age_seconds < YOUNG_SECONDS


def require_text(name: str, value: object) -> None:
    """Raise ValueError unless a value is a string that is not empty and can be encoded."""
    if not isinstance(value, str) or not value:
        raise ValueError(f"{name} is {value!r}, expected a string")
    if not is_unicode(value):
        raise ValueError(f"{name} holds a lone surrogate, expected Unicode text")


def require_count(name: str, value: object, *, most: int) -> None:
    """Raise ValueError unless a value is a whole number from 0 to `most`."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        raise ValueError(f"{name} is {value!r}, expected a whole number from 0 to {most}")


def shard_of(connection_id: str) -> int:
    """Return the shard of a connection: 0 up to, not including, `SHARDS`.

    It is the same in all processes and versions: a row's key must follow from the id alone.
    """
    return zlib.crc32(connection_id.encode()) % SHARDS


def expires_at(connected_at_ms: int, let_in_until: int | None = None) -> int:
    """Return the time after which a connection's rows are of no use, in epoch seconds.

    `let_in_until` is when what its client was let in by expires, None when that says nothing.
    """
    ends_at = connected_at_ms // 1000 + CONNECTION_LIFE_SECONDS + EXPIRY_GRACE_SECONDS
    return ends_at if let_in_until is None else min(ends_at, let_in_until)
