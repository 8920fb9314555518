"""The one loop of the ledger: a transition is made of what is read, and its rows are written.

A conflict says that what was read has changed: it is read again at once, and the transition is
made anew. A table that is busy is waited for. At the deadline the loop gives up.
"""

from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

from broadcasting.clock import Clock, Jitter
from broadcasting.ledger_rows import Row
from broadcasting.retry import Backoff
from storage.errors import BusyError, ConflictError, ReadError, StorageError
from storage.ledger_table import LedgerTable

_T = TypeVar("_T")
_Result_co = TypeVar("_Result_co", covariant=True)

MOST_CONFLICTS = 50
"""After this many conflicts in a row, each read anew at once, the table counts as busy."""

_BACKOFF = Backoff(base_seconds=0.005, cap_seconds=1.0)
_MOST_DOUBLINGS = 8
"""After these the pause has reached its cap."""

_LEAST_SECONDS = 0.001

Basis = tuple[Row, ...]
"""Rows that a transition is made from, as they were read."""


class Made(NamedTuple, Generic[_Result_co]):
    """What a transition has made: the result, once its rows are written, all or none.

    There are no rows when nothing is to be written. `basis` is what to look at after a conflict.
    """

    result: _Result_co
    rows: tuple[Row, ...] = ()
    basis: Basis = ()


Change = Callable[[Basis], Made[_T]]
"""Reads what a transition is made from, and makes it; it may raise ReadError.

It is called with the basis of the last conflict, which is empty before the first one. When it
reads the same basis again, then not the basis has changed: another row is in the way.
"""


class WriteLoop(NamedTuple):
    """Makes a change again until it is written or its time is up."""

    table: LedgerTable
    clock: Clock
    jitter: Jitter

    def run(self, change: Change[_T], *, what: str, deadline: float) -> _T:
        """Return the result of a change, once it is written.

        After a BusyError or a ReadError the next attempt follows a pause with full jitter, 5 ms at
        first, 1 s at most. Raises BusyError, which says `what` has failed and why, at `deadline`
        (monotonic seconds); any other error at once.
        """
        began = self.clock.monotonic()
        conflicts = pauses = 0
        met: Basis = ()
        while True:
            reason: StorageError
            try:
                made = change(met)
                conflict = self._write(made.rows)
            except (BusyError, ReadError) as error:
                conflicts, reason = 0, error
            else:
                if conflict is None:
                    return made.result
                met, conflicts, reason = made.basis, conflicts + 1, conflict
                if conflicts < MOST_CONFLICTS:
                    continue
            now = self.clock.monotonic()
            if now >= deadline:
                raise BusyError(
                    f"{what} after {pauses} pauses in {now - began:.1f} s: {reason}"
                ) from reason
            self.clock.sleep(min(self._pause_seconds(pauses), deadline - now))
            pauses += 1

    def _write(self, rows: tuple[Row, ...]) -> ConflictError | None:
        """Write rows, if there are any; return the conflict that they have met."""
        try:
            if rows:
                self.table.write(*rows)
        except ConflictError as error:
            return error
        return None

    def _pause_seconds(self, pauses: int) -> float:
        seconds = _BACKOFF.seconds(min(pauses, _MOST_DOUBLINGS), self.jitter())
        return max(_LEAST_SECONDS, seconds)
