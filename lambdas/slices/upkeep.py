"""What is done for a slice while its connections are posted to: parts given away, checkpoints."""

from broadcasting.backlog import Backlog
from broadcasting.clock import Clock
from broadcasting.ledger_rows import NO_OUTAGE
from delivery.fan_out import FanOut, Watch
from slices.bookkeeping import Bookkeeper
from slices.checkpoints import CheckpointTimer
from slices.progress import SliceProgress
from slices.rounds import Round
from slices.stragglers import give_stragglers_away

SPREAD_AFTER_SECONDS = 1.0
"""After this time a worker gives the shards that it can spare to others, unless it is the pace that
holds it up."""

MOST_STRAGGLERS = 2_000
"""One slice names about this many connections at most: it must fit into a row of 400 KB."""


class Upkeep:
    """Called after each settlement, and while there is none."""

    def __init__(
        self,
        books: Bookkeeper,
        progress: SliceProgress,
        of_round: Round,
        *,
        watch: Watch,
        fan_out: FanOut,
        clock: Clock,
    ) -> None:
        """Take the watch over the posting that goes on: it is told when to pause."""
        self._books = books
        self._progress = progress
        self._round = of_round
        self._watch = watch
        self._fan_out = fan_out
        self._clock = clock
        self._timer = CheckpointTimer(progress)
        self._spread_at = clock.monotonic() + SPREAD_AFTER_SECONDS

    def keep_up(self) -> None:
        """Give away what others can do, and write the account down, when it is time.

        Raises LeaseLostError.
        """
        now = self._clock.monotonic()
        if self._books.is_write_due(now):
            self._write(now)
        self._watch.pause_at = self._timer.look(now)

    def _write(self, now: float) -> None:
        books, progress = self._books, self._progress
        if books.has_failed and progress.unsaved:
            books.checkpoint()  # a write to the slice's own row alone is the likeliest
        elif self._is_spread_due(now):
            books.give_away(*(Backlog((one,)) for one in progress.spare), outage=NO_OUTAGE)
        elif self._are_stragglers_due():
            give_stragglers_away(books, progress, self._round, self._round.end())
        elif self._timer.is_due(now):
            books.checkpoint()

    def _is_spread_due(self, now: float) -> bool:
        """Tell whether others would make it faster: not while the pace is what posts wait for.

        All workers share one pace, and each worker that waits for it is paid for.
        """
        if now < self._spread_at or not self._progress.spare:
            return False
        return self._watch.breaker.is_closed and not self._fan_out.is_paced

    def _are_stragglers_due(self) -> bool:
        """Tell whether to make a slice of stragglers: not of the whole backlog, which can wait.

        A slice that always became another would never be given up.
        """
        progress = self._progress
        is_full = progress.tried >= MOST_STRAGGLERS and progress.has_others
        return is_full or progress.has_stragglers
