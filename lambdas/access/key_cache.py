"""The keys of an issuer over time: when to fetch them, and how long the last ones hold.

Times are seconds of a clock that goes on while a function is frozen: the epoch's. What it says was
fetched in the future was fetched before the clock was set back, and counts as too old.
"""

import math
from typing import Final

from access.key_set import Key, KeySet

FRESH_SECONDS: Final = 600.0
"""After this time the keys are fetched again: an issuer may have taken one back."""

STALE_SECONDS: Final = 24 * 3600.0
"""Keys that cannot be fetched again hold for this long, then nobody gets in."""

UNKNOWN_SECONDS: Final = 300.0
"""For a key that is not known they are fetched once in this time: tokens can name any."""

FAILED_SECONDS: Final = 10.0
"""After a fetch that has failed there is none for this long."""


class KeyCache:
    """Keeps a key set. Pure: it is told what was fetched, and fetches nothing.

    `unknown_seconds` is how often the keys may be fetched for one that is not known.
    """

    def __init__(self, unknown_seconds: float = UNKNOWN_SECONDS) -> None:
        self._unknown_seconds = unknown_seconds
        self._keys = KeySet(())
        self._fetched_at = -math.inf
        self._failed_at = -math.inf

    def is_closed(self, now: float) -> bool:
        """Tell whether there are no keys at all, or only ones that are too old."""
        return _age(self._fetched_at, now) >= STALE_SECONDS

    def find(self, algorithm: str, key_id: str | None, now: float) -> Key | None:
        """Return a key as it is known, None when it is not, or the keys are too old."""
        return None if self.is_closed(now) else self._keys.find(algorithm, key_id)

    def is_due(self, algorithm: str, key_id: str | None, now: float) -> bool:
        """Tell whether to fetch the keys before a token is verified by this one."""
        failed = _age(self._failed_at, now)
        fetched = _age(self._fetched_at, now)
        if self.is_closed(now):
            return failed >= FAILED_SECONDS
        if self._keys.find(algorithm, key_id) is None:
            return min(fetched, failed) >= self._unknown_seconds
        return fetched >= FRESH_SECONDS and failed >= FAILED_SECONDS

    def take(self, keys: KeySet, now: float) -> None:
        """Take keys that were fetched: they replace those of before."""
        self._keys, self._fetched_at, self._failed_at = keys, now, -math.inf

    def fail(self, now: float) -> None:
        """Take note that the keys could not be fetched."""
        self._failed_at = now


def _age(at: float, now: float) -> float:
    """Return how long ago something was: for ever if the clock was set back since."""
    return now - at if now >= at else math.inf
