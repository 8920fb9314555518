"""The loop of the ledger's writes: read anew at once, or wait until the time is up."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest

from broadcasting.clock import Clock
from storage.errors import BusyError, ConflictError, ReadError, StorageError, WriteError
from storage.ledger_loop import MOST_CONFLICTS, WriteLoop


@dataclass
class _Attempts:
    """Attempts that raise `errors` one after another, and then succeed; and their time."""

    errors: Sequence[StorageError]
    jitter: float = 0.999
    seconds: float = 0.0
    pauses: list[float] = field(default_factory=list)

    def run(self, deadline: float = 100.0) -> str:
        clock = Clock(lambda: self.seconds, lambda: 0, self._sleep)
        return WriteLoop(clock, lambda: self.jitter).run(
            self._attempt, what="b not opened", deadline=deadline
        )

    def _attempt(self) -> str:
        if self.errors:
            error, *self.errors = self.errors
            raise error
        return "done"

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
    """Full jitter: those that met once do not meet again, and none spins."""
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
