"""Kicks many connections at once, by some threads, and counts how it ended for each."""

from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from typing import Final

from crier.deployed.connection_rows import Known
from crier.deployed.kick import End, Kicked

_THREADS: Final = 10
"""As many as boto3 keeps connections: more threads would open others again and again."""

MOST_ROUNDS: Final = 10
"""How often a user's connections are listed again, at most, because new ones have come."""

Kick = Callable[[Known], Kicked]


@dataclass(slots=True)
class Tally:
    """What became of all connections; `met` is how many there were.

    `is_all` is false when more connections have come than were kicked.
    """

    met: int = 0
    is_all: bool = True
    kicked: int = 0
    gone: int = 0
    untold: int = 0
    """How many of those that were kicked could not be sent the bye."""
    failed: list[Kicked] = field(default_factory=list)

    @property
    def not_reached(self) -> int:
        """How many connections nothing was done about."""
        return self.met - self.kicked - self.gone - len(self.failed)

    def add(self, one: Kicked) -> None:
        """Count one connection."""
        if one.end is End.FAILED:
            self.failed.append(one)
        elif one.end is End.GONE:
            self.gone += 1
        else:
            self.kicked += 1
            self.untold += not one.is_told


def kick_all(
    listed: Callable[[], Iterable[Known]],
    kick: Kick,
    tally: Tally,
    *,
    on_met: Callable[[int], None],
    on_end: Callable[[], None],
    stop: Callable[[], None],
    arrive: Callable[[], object] | None = None,
) -> None:
    """Kick what is `listed`, and list again until nothing is new, at most `MOST_ROUNDS` times.

    With `arrive`, which waits until what is on its way has come, nothing must be new after it, too.

    `tally` is right at any moment, also when this ends with an exception: then `stop` is called,
    and what is under way ends first. `on_met` is told how many connections there are, `on_end` is
    called when one has ended.
    """
    seen: set[str] = set()
    for _ in range(MOST_ROUNDS):
        new = {one.id: one for one in listed() if one.id not in seen}
        if not new:
            if arrive is None:
                return
            arrive()
            arrive = None
            continue
        seen.update(new)
        tally.met = len(seen)
        on_met(tally.met)
        _kick_some(new.values(), kick, tally, on_end=on_end, stop=stop)
    tally.is_all = all(one.id in seen for one in listed())


def _kick_some(
    some: Iterable[Known],
    kick: Kick,
    tally: Tally,
    *,
    on_end: Callable[[], None],
    stop: Callable[[], None],
) -> None:
    pending: set[Future[Kicked]] = set()
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="kick") as threads:
        try:
            pending.update(threads.submit(kick, one) for one in some)
            for future in as_completed(tuple(pending)):
                pending.discard(future)
                tally.add(future.result())
                on_end()
        except BaseException:
            stop()
            threads.shutdown(cancel_futures=True)
            for future in pending:
                if not future.cancelled() and not future.exception():
                    tally.add(future.result())
            raise
