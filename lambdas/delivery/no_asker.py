"""In place of a `BudgetAsker`, where no budget is shared."""

from collections.abc import Callable


class NoAsker:
    """Asks for nothing, and counts nothing: any number of pacers may have it."""

    counts_started = False
    """Whether `started` must be called for posts that have all been started."""

    def begin(self, demand: Callable[[], int], wake: Callable[[], None]) -> None:
        """Serve a broadcast, which never waits for a grant."""

    def end(self) -> None:
        """End the broadcast: there is nothing to charge."""

    def close(self) -> None:
        """End no thread, as there is none."""

    def waiting(self, wanted: int) -> int:
        """Return what is wanted: there is no need to know what waits besides."""
        return wanted

    def look(self, admitted: int, *, unmet: int) -> None:
        """Do nothing: it is never time to ask."""

    def started(self, admitted: int) -> None:
        """Do nothing: no demand is counted."""


NO_ASKER = NoAsker()
