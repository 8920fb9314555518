"""The loop of the ledger's writes: read anew at once, or wait until the time is up."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import pytest

from broadcasting.clock import Clock
from broadcasting.ledger_rows import ChannelEntry, Row
from storage.errors import BusyError, ConflictError, ReadError, StorageError, WriteError
from storage.ledger_loop import MOST_CONFLICTS, Basis, Made, WriteLoop

if TYPE_CHECKING:
    from storage.ledger_table import LedgerTable


ROW = ChannelEntry("*", 1, "b", 1)


@dataclass
class _Attempts:
    """Attempts to write a row that raise `errors` one after another; then one succeeds.

    Reading raises the errors of reading, and writing the others. `met` is what each attempt was
    told of the last conflict; the basis of each attempt has its number as the version.
    """

    errors: Sequence[StorageError] = ()
    jitter: float = 0.999
    seconds: float = 0.0
    pauses: list[float] = field(default_factory=list)
    met: list[Basis] = field(default_factory=list)
    written: list[Row] = field(default_factory=list)
    rows: tuple[Row, ...] = (ROW,)

    def run(self, deadline: float = 100.0) -> str:
        clock = Clock(lambda: self.seconds, lambda: 0, self._sleep)
        loop = WriteLoop(cast("LedgerTable", self), clock, lambda: self.jitter)
        return loop.run(self._make, what="b not opened", deadline=deadline)

    def write(self, *rows: Row) -> None:
        self._fail(is_reading=False)
        self.written += rows

    def _make(self, met: Basis) -> Made[str]:
        self._fail(is_reading=True)
        self.met.append(met)
        return Made("done", self.rows, (ROW._replace(version=len(self.met)),))

    def _fail(self, *, is_reading: bool) -> None:
        if self.errors and isinstance(self.errors[0], ReadError) is is_reading:
            error, *self.errors = self.errors
            raise error

    def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.seconds += seconds


def test_loop_reads_a_conflict_anew_at_once() -> None:
    """Another was faster: nothing is gained by waiting."""
    attempts = _Attempts([ConflictError("changed")] * (MOST_CONFLICTS - 1))

    assert attempts.run() == "done"
    assert attempts.pauses == []


def test_loop_waits_when_conflicts_do_not_end() -> None:
    """Each one after the fiftieth counts as busy; anything else in between begins a new count."""
    attempts = _Attempts([ConflictError("changed")] * (MOST_CONFLICTS + 1))
    begun_anew = _Attempts(
        [ConflictError("changed")] * 49 + [BusyError("busy")] + [ConflictError("changed")] * 49
    )

    assert attempts.run() == begun_anew.run() == "done"
    assert (len(attempts.pauses), len(begun_anew.pauses)) == (2, 1)


@pytest.mark.parametrize("error", [BusyError("busy"), ReadError("not read")])
def test_loop_waits_longer_each_time_while_the_table_is_busy(error: StorageError) -> None:
    """From 5 ms to 1 s."""
    attempts = _Attempts([error] * 12)

    assert attempts.run() == "done"
    assert attempts.pauses[:3] == pytest.approx([0.005, 0.010, 0.020], rel=0.01)
    assert attempts.pauses[-4:] == pytest.approx([1.0] * 4, rel=0.01)


def test_loop_waits_by_chance() -> None:
    """Full jitter: workers that met once do not meet again, and none spins."""
    attempts = _Attempts([BusyError("busy")] * 3, jitter=0.0)

    assert attempts.run() == "done"
    assert attempts.pauses == [0.001] * 3


@pytest.mark.parametrize("error", [BusyError("throttled"), ReadError("throttled")])
def test_loop_raises_at_the_deadline(error: StorageError) -> None:
    """After a last attempt; the error says what, how long, and why."""
    attempts = _Attempts([error] * 1_000)

    with pytest.raises(
        BusyError, match=r"b not opened after \d+ pauses in 7.0 s: throttled"
    ) as caught:
        attempts.run(deadline=7.0)
    assert attempts.seconds == pytest.approx(7.0)
    assert caught.value.__cause__ is error


def test_loop_attempts_once_when_the_deadline_is_over() -> None:
    """The last write of an invocation is always tried."""
    attempts = _Attempts([BusyError("busy")])

    with pytest.raises(BusyError, match="after 0 pauses"):
        attempts.run(deadline=-1.0)
    assert attempts.run(deadline=-1.0) == "done"


@pytest.mark.parametrize("make", [WriteError, StorageError])
def test_loop_passes_any_other_error_on(make: Callable[[str], StorageError]) -> None:
    """What is refused now is refused later."""
    attempts = _Attempts([make("refused")])

    with pytest.raises(StorageError, match=r"^refused$"):
        attempts.run()
    assert attempts.pauses == []


def test_loop_tells_each_attempt_what_the_last_conflict_was_made_from() -> None:
    """So that an attempt can see whether that has changed; a busy table says nothing about it."""
    errors = [BusyError("busy"), ConflictError("1"), BusyError("busy"), ConflictError("2")]
    attempts = _Attempts(errors)

    assert attempts.run() == "done"
    first, second, fourth = (), (ROW._replace(version=2),), (ROW._replace(version=4),)
    assert attempts.met == [first, first, second, second, fourth]


def test_loop_writes_the_rows_once() -> None:
    """The result is that of the attempt that was written."""
    attempts = _Attempts([ConflictError("changed"), BusyError("busy")])

    assert attempts.run() == "done"
    assert attempts.written == [ROW]


def test_loop_writes_nothing_when_there_is_nothing_to_write() -> None:
    """What was read is result enough: a slice is closed, or is ours already."""
    attempts = _Attempts([BusyError("never met")], rows=())

    assert attempts.run() == "done"
    assert attempts.written == []
