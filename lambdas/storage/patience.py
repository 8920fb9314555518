"""Makes a request again until DynamoDB has done all of it, or the time for it is up."""

from collections.abc import Callable
from typing import Final, NamedTuple, TypeVar

from broadcasting.clock import Clock, Jitter
from broadcasting.retry import Backoff
from storage.errors import BusyError

_T = TypeVar("_T")

_BACKOFF: Final = Backoff(base_seconds=0.025, cap_seconds=0.5)
_MOST_DOUBLINGS: Final = 5
"""After these the pause has reached its cap."""

_LEAST_SECONDS: Final = 0.005


class Patience(NamedTuple):
    """How long a client that waits is made to wait: pauses with full jitter, 0.5 s at most."""

    clock: Clock
    jitter: Jitter

    def until_done(self, request: Callable[[], _T], *, ends_at: float) -> _T:
        """Make a request until it raises no BusyError; begin none after `ends_at` (monotonic).

        Return what it returns. Raises the last BusyError then, and any other error at once.
        """
        if self.clock.monotonic() > ends_at:
            raise BusyError("no time remains for it")
        pauses = 0
        while True:
            try:
                return request()
            except BusyError:
                pause = self._pause_seconds(pauses)
                if self.clock.monotonic() + pause > ends_at:
                    raise
            self.clock.sleep(pause)
            pauses += 1

    def until_all(
        self, do: Callable[[list[_T]], list[_T]], pending: list[_T], *, ends_at: float
    ) -> None:
        """Do something with rows until none is given back. Raises as `until_done` does."""

        def do_with_pending() -> None:
            nonlocal pending
            pending = do(pending)
            if pending:
                raise BusyError(f"{len(pending)} rows were left unprocessed")

        self.until_done(do_with_pending, ends_at=ends_at)

    def _pause_seconds(self, pauses: int) -> float:
        seconds = _BACKOFF.seconds(min(pauses, _MOST_DOUBLINGS), self.jitter())
        return max(_LEAST_SECONDS, seconds)
