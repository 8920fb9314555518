"""How a slice ends in one invocation: it is closed, or released and taken up again, or given up."""

import math

from broadcasting.clock import Clock
from broadcasting.trouble import Trouble, outage_delay_seconds
from slices.bookkeeping import Bookkeeper
from slices.messages import SliceMessages
from slices.progress import SliceProgress
from slices.rounds import Round
from slices.stragglers import give_stragglers_away
from storage.errors import StorageError

STOPPED_DELAY_SECONDS = 30
"""A slice is taken up this long after a read that failed."""


class SliceEnding:
    """Ends a slice once nothing of it is posted any more.

    An outage is waited for `outage_seconds`, from the first round that counted for no connection.
    """

    def __init__(
        self,
        books: Bookkeeper,
        progress: SliceProgress,
        messages: SliceMessages,
        of_round: Round,
        *,
        clock: Clock,
        outage_seconds: int,
    ) -> None:
        self.given_up = ""
        """Why the slice is to become a dead letter, once that is written down."""
        self.reasons: dict[str, int] = {}
        """Why connections have not ended, counted by reason."""
        self._books = books
        self._progress = progress
        self._messages = messages
        self._round = of_round
        self._clock = clock
        self._outage_seconds = outage_seconds
        self._held = books.held.slice_row
        """The slice as it was leased."""

    def end(self) -> None:
        """Close the slice, or release it and have it taken up again.

        Raises what stopped the reading, if that let no connection end: SQS then brings the message
        again, as often as the queue allows. Raises StorageError, too, when slices cannot be
        announced.
        """
        books, progress = self._books, self._progress
        trouble = self._round.end()
        self.reasons = progress.reasons
        try:
            books.announce()
        except StorageError:
            books.release(outage=self._round.outage_after(trouble))
            raise
        if progress.backlog.is_empty:
            books.close()
            return
        if trouble and (self._round.is_in_vain or not progress.has_others):
            self._wait_for_end_of(trouble)
            return
        if progress.has_others and not progress.read_error:
            # The stragglers wait, the others go on.
            give_stragglers_away(books, progress, self._round, trouble)
        self._go_on()

    def _wait_for_end_of(self, trouble: Trouble) -> None:
        """Have the slice wait, or give it up when the outage has been waited for long enough."""
        books, outage = self._books, self._round.outage_after(trouble)
        waited_seconds = (self._clock.epoch_ms() - outage.since_ms) / 1000
        left_seconds = self._outage_seconds - waited_seconds
        if left_seconds <= 0:
            given_up = f"{self._round.reason}; waited for {waited_seconds:.0f} s"
            books.release(outage=outage, given_up=given_up)
            self.given_up = given_up  # now that it is written: else another worker goes on
            return
        seconds = min(
            outage_delay_seconds(outage.rounds), left_seconds, max(0.0, books.seconds_to_live)
        )
        delay_seconds = math.ceil(seconds)
        books.release(delay_seconds=delay_seconds, outage=outage)
        books.send(delay_seconds)

    def _go_on(self) -> None:
        """Have the slice taken up again, as soon as the delay of its connections is over."""
        books, backlog, error = self._books, self._progress.backlog, self._progress.read_error
        if error and self._progress.counts.ended == self._held.counts.ended:
            books.release(outage=self._held.outage)
            raise error
        delay_seconds = self._messages.delay_seconds(backlog)
        if delay_seconds:
            delay_seconds = max(delay_seconds, self._round.long_delay_seconds(backlog))
        if error:
            delay_seconds = STOPPED_DELAY_SECONDS
        delay_seconds = math.ceil(min(delay_seconds, max(0.0, books.seconds_to_live)))
        books.release(delay_seconds=delay_seconds)
        books.send(delay_seconds)
