"""The keys of an issuer over time: when to fetch them, and how long the last ones hold.

Times are seconds that only go on, also while a function is frozen.
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
    """Keeps a key set. Pure: it is told what was fetched, and fetches nothing."""

    def __init__(self) -> None:
        self._keys = KeySet({})
        self._fetched_at = -math.inf
        self._failed_at = -math.inf

    def find(self, algorithm: str, key_id: str | None, now: float) -> Key | None:
        """Return a key as it is known, None when it is not, or the keys are too old."""
        if now - self._fetched_at >= STALE_SECONDS:
            return None
        return self._keys.find(algorithm, key_id)

    def is_due(self, algorithm: str, key_id: str | None, now: float) -> bool:
        """Tell whether to fetch the keys before a token is verified by this one."""
        if now - self._failed_at < FAILED_SECONDS:
            return False
        age_seconds = now - self._fetched_at
        is_known = self._keys.find(algorithm, key_id) is not None
        return age_seconds >= (FRESH_SECONDS if is_known else UNKNOWN_SECONDS)

    def take(self, keys: KeySet, now: float) -> None:
        """Take keys that were fetched: they replace those of before."""
        self._keys, self._fetched_at, self._failed_at = keys, now, -math.inf

    def fail(self, now: float) -> None:
        """Take note that the keys could not be fetched."""
        self._failed_at = now
