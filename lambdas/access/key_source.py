"""The keys that tokens are verified by, fetched when that is due.

It reads no clock and does no I/O of its own: both are given.
"""

from collections.abc import Callable
from typing import Final

from access.key_cache import UNKNOWN_SECONDS, KeyCache
from access.key_errors import KeysUnavailableError
from access.key_set import Key, KeySet

_NO_KEY: Final = ("", "")
"""No key has this algorithm and this id."""


class KeySource:
    """Finds keys, and fetches them when that is due.

    `fetch` raises what it likes when it fails; that is given to `warn`, and the last keys hold.
    `now_seconds` is a clock that goes on while the function is frozen.
    """

    def __init__(
        self,
        fetch: Callable[[], KeySet],
        *,
        now_seconds: Callable[[], float],
        warn: Callable[[Exception], object],
        unknown_seconds: float = UNKNOWN_SECONDS,
    ) -> None:
        self._fetch = fetch
        self._now_seconds = now_seconds
        self._warn = warn
        self._cache = KeyCache(unknown_seconds)

    def find(self, algorithm: str, key_id: str | None) -> Key | None:
        """Return a key, None if the issuer has none of that id. Raises KeysUnavailableError."""
        self._refresh_if_due(algorithm, key_id)
        return self.known(algorithm, key_id)

    def known(self, algorithm: str, key_id: str | None) -> Key | None:
        """Return a key without a fetch, None if it is not known. Raises KeysUnavailableError."""
        now = self._now_seconds()
        if self._cache.is_closed(now):
            raise KeysUnavailableError
        return self._cache.find(algorithm, key_id, now)

    def refresh_for_unknown(self) -> bool:
        """Fetch the keys as for one that is not known, if that is due; tell whether it was done."""
        return self._refresh_if_due(*_NO_KEY)

    def _refresh_if_due(self, algorithm: str, key_id: str | None) -> bool:
        if not self._cache.is_due(algorithm, key_id, self._now_seconds()):
            return False
        try:
            keys = self._fetch()
        except Exception as error:  # noqa: BLE001 - whatever it is, the last keys hold
            self._cache.fail(self._now_seconds())
            self._warn(error)
            return False
        self._cache.take(keys, self._now_seconds())
        return True
