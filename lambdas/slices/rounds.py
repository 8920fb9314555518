"""One round of a slice: what one invocation hears for it, and whether that counts."""

from broadcasting.backlog import Backlog
from broadcasting.breaker import Breaker
from broadcasting.clock import Clock
from broadcasting.ledger_rows import Lease, Outage
from broadcasting.trouble import Evidence, Pending, RecentAnswers, Trouble, explain, judge
from slices.progress import SliceProgress

LONG_REST_SECONDS = 60
"""How long connections rest that may not have been in trouble by themselves, times the rounds that
they have had: long enough that an outage of some minutes fails none of them."""


class Round:
    """Judges the connections that are tried in vain, by what all of them hear.

    It may be judged several times, as stragglers are given away while others are posted to: those
    for whom it did not count are still among those that are left when it is judged again.
    `trouble` is why it counted for no connection, when it was judged last and did not.
    """

    def __init__(
        self, held: Lease, progress: SliceProgress, *, recent: RecentAnswers, clock: Clock
    ) -> None:
        self.trouble: Trouble | None = None
        self._in_trouble = Pending()
        self._held = held
        self._progress = progress
        self._recent = recent
        self._clock = clock
        self.breaker = self._make_breaker()

    def end(self) -> Trouble | None:
        """Judge the connections that were tried in vain; return why that counts for none."""
        breaker, progress = self.breaker, self._progress
        pending = Pending(*map(sum, zip(self._in_trouble, progress.left, strict=True)))
        trouble = judge(breaker.answers, pending, self._evidence(), stopped_by=breaker.stopped_by)
        progress.end_round(counts=trouble is None)
        if trouble:
            self.trouble, self._in_trouble = trouble, pending
        return trouble

    @property
    def is_in_vain(self) -> bool:
        """Whether the other connections would hear the same: nothing was answered, or it ended."""
        return self.breaker.stopped_by is not None or not self.breaker.answers.answered

    @property
    def reason(self) -> str:
        """What everyone heard, and what to do; empty for a round that counted."""
        if self.trouble is None:
            return ""
        is_throttled = self.trouble is Trouble.THROTTLED
        return explain(self.trouble, "429" if is_throttled else self.breaker.reason)

    def outage_after(self, trouble: Trouble | None) -> Outage:
        """Return the rounds in a row that counted for no connection, with this one.

        One in which most posts were answered before the trouble began is the first of another row.
        """
        if trouble is None:
            return Outage()
        is_new = self.breaker.answers.is_mostly_answered
        before = Outage() if is_new else self._held.slice_row.outage
        return Outage(before.since_ms or self._clock.epoch_ms(), before.rounds + 1)

    def long_rest_seconds(self, work: Backlog) -> int:
        """Return how long stragglers rest, at least, though their round has counted.

        That is for long when most answers were lost, or when more than a few heard nothing but
        429: it may have been everyone's trouble all the same.
        """
        answers = self.breaker.answers
        are_many = len(work.connections) > self._evidence().most_own
        if answers.is_mostly_lost or (are_many and not answers.answered):
            return LONG_REST_SECONDS * max((one.rounds for one in work.connections), default=0)
        return 0

    def note_reached(self) -> None:
        """Remember what was reached: in other broadcasts it tells that posts can succeed."""
        counts = self._progress.counts - self._held.slice_row.counts
        reached = counts.delivered + counts.gone
        self._recent.note(self._held.summary.id, reached, self._clock.epoch_ms())

    def _make_breaker(self) -> Breaker:
        """Return a breaker; one that probes first, if the slice rested because of trouble.

        Not where all that is left are a few, whose own trouble it may be.
        """
        slice_row, evidence = self._held.slice_row, self._evidence()
        is_few = (
            not slice_row.backlog.shards and len(slice_row.backlog.connections) <= evidence.most_own
        )
        probes_from = self._clock.monotonic() if slice_row.outage.rounds and not is_few else None
        return Breaker(evidence, probes_from=probes_from)

    def _evidence(self) -> Evidence:
        """Return what the broadcast has reached, as far as it is known here."""
        slice_row, summary = self._held.slice_row, self._held.summary
        counts = self._progress.counts
        elsewhere = self._recent.elsewhere(summary.id, self._clock.epoch_ms())
        return Evidence(
            delivered=max(slice_row.delivered_before, summary.counts.delivered) + counts.delivered,
            gone=max(slice_row.gone_before, summary.counts.gone) + counts.gone,
            elsewhere=elsewhere or self._progress.refused_again,
        )
