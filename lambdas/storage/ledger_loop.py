"""The one loop of the ledger's writes: a conflict is read anew, a busy table is waited for."""

from collections.abc import Callable
from typing import NamedTuple, TypeVar

from broadcasting.clock import Clock, Jitter
from broadcasting.retry import Backoff
from storage.errors import BusyError, ConflictError, ReadError, StorageError

_T = TypeVar("_T")

MOST_CONFLICTS = 50
"""How many conflicts in a row are read anew at once; after these the table counts as busy."""

_BACKOFF = Backoff(base_seconds=0.005, cap_seconds=1.0)
_MOST_DOUBLINGS = 8
"""After these the pause has reached its cap."""

_LEAST_SECONDS = 0.001


class WriteLoop(NamedTuple):
    """Tries a write again until it is made or its time is up."""

    clock: Clock
    jitter: Jitter

    def run(self, attempt: Callable[[], _T], *, what: str, deadline: float) -> _T:
        """Return what `attempt` returns, once it has succeeded.

        An attempt that meets a ConflictError is made again at once: it has to read anew what it
        is made from. One that meets a BusyError or a ReadError is made again after a pause with
        full jitter, 5 ms at first, 1 s at most. Raises BusyError, with `what` has failed and why,
        at `deadline` (monotonic seconds); any other error at once.
        """
        began = self.clock.monotonic()
        conflicts = pauses = 0
        while True:
            reason: StorageError
            try:
                return attempt()
            except ConflictError as error:
                conflicts += 1
                if conflicts < MOST_CONFLICTS:
                    continue
                reason = error
            except (BusyError, ReadError) as error:
                conflicts = 0
                reason = error
            now = self.clock.monotonic()
            if now >= deadline:
                raise BusyError(
                    f"{what} after {pauses} pauses in {now - began:.1f} s: {reason}"
                ) from reason
            self.clock.sleep(min(self._pause_seconds(pauses), deadline - now))
            pauses += 1

    def _pause_seconds(self, pauses: int) -> float:
        seconds = _BACKOFF.seconds(min(pauses, _MOST_DOUBLINGS), self.jitter())
        return max(_LEAST_SECONDS, seconds)
