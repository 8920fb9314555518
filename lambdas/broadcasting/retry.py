"""When to try again: exponential backoff with full jitter.

https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from broadcasting.connection import YOUNG_SECONDS, Connection


class Backoff(NamedTuple):
    """How often one post is tried within one invocation, and how long it waits in between."""

    tries: int = 5
    base_seconds: float = 0.1
    cap_seconds: float = 2.0

    def seconds(self, tries: int, jitter: float) -> float:
        """Return the wait after `tries` failed posts; `jitter` is uniform in [0, 1)."""
        return jitter * min(self.cap_seconds, self.base_seconds * 2.0**tries)


MAX_ROUNDS = 4
"""How many invocations may try one connection before it counts as failed."""

_ROUND_SECONDS = 10.0
_MAX_DELAY_SECONDS = 900  # SQS: the longest delay of one message


def next_round_seconds(stragglers: Sequence[Connection], now_ms: int) -> int:
    """Return how long to wait before stragglers are tried again, in whole seconds, 0 to 900.

    The wait grows with each round, and lasts at least until no connection is young any more. Each
    of the `stragglers`, of which there is at least one, has been tried for a round or more.
    """
    rounds = max(connection.rounds for connection in stragglers)
    young = (one.connected_at for one in stragglers if one.is_young(now_ms))
    until_grown = YOUNG_SECONDS - (now_ms - max(young, default=0)) / 1000
    wait = max(_ROUND_SECONDS * 2.0 ** (rounds - 1), min(YOUNG_SECONDS, until_grown))
    return min(_MAX_DELAY_SECONDS, math.ceil(wait))
