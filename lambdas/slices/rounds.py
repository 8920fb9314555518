"""One round of a slice: what one invocation's posts come to, and whether that counts."""

from broadcasting.audience import LISTED
from broadcasting.backlog import Backlog
from broadcasting.breaker import Breaker
from broadcasting.clock import Clock
from broadcasting.ledger_rows import NO_OUTAGE, Lease, Outage
from broadcasting.trouble import Evidence, Pending, RecentAnswers, Trouble, explain, judge
from slices.progress import SliceProgress

LONG_DELAY_SECONDS = 60
"""Connections whose trouble may have been everyone's wait this long, times the rounds that they
have had: so an outage of some minutes fails none of them."""


class Round:
    """Judges the connections that are tried in vain, by the answers to all of them.

    A round may be judged several times, as stragglers are given away while others are posted to.
    Connections for which it did not count are counted again when it is judged the next time.
    `trouble` is why it counted for no connection, if that was the last judgement.
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
        pending = Pending(*map(sum, zip(self._in_trouble, progress.in_vain, strict=True)))
        trouble = judge(breaker.answers, pending, self._evidence(), stopped_by=breaker.stopped_by)
        progress.end_round(counts=trouble is None)
        if trouble:
            self.trouble, self._in_trouble = trouble, pending
        return trouble

    @property
    def is_in_vain(self) -> bool:
        """Whether other posts would be in vain, too: none was answered, or posting was stopped."""
        return self.breaker.stopped_by is not None or not self.breaker.answers.answered

    @property
    def reason(self) -> str:
        """What all posts were answered, and what to do; empty for a round that counted."""
        if self.trouble is None:
            return ""
        is_throttled = self.trouble is Trouble.THROTTLED
        return explain(self.trouble, "429" if is_throttled else self.breaker.reason)

    def outage_after(self, trouble: Trouble | None) -> Outage:
        """Return the rounds in a row that counted for no connection, with this one.

        One in which most posts were answered before the trouble began is the first of another row.
        """
        if trouble is None:
            return NO_OUTAGE
        is_new = self.breaker.answers.is_mostly_answered
        before = NO_OUTAGE if is_new else self._held.slice_row.outage
        return Outage(before.since_ms or self._clock.epoch_ms(), before.rounds + 1)

    def long_delay_seconds(self, backlog: Backlog) -> int:
        """Return how long stragglers wait at least, in seconds, though their round has counted.

        They wait for long when most answers were lost, or when more than a few connections were
        answered nothing but 429: it may have been everyone's trouble all the same.
        """
        answers = self.breaker.answers
        are_many = len(backlog.connections) > self._evidence().most_own
        if answers.is_mostly_lost or (are_many and not answers.answered):
            return LONG_DELAY_SECONDS * max((one.rounds for one in backlog.connections), default=0)
        return 0

    def note_reached(self) -> None:
        """Remember what was reached: in other broadcasts it tells that posts can succeed."""
        reached = self._progress.posted.delivered + self._progress.posted.gone
        self._recent.note(self._held.summary.id, reached, self._clock.epoch_ms())

    def _make_breaker(self) -> Breaker:
        """Return a breaker; it probes first, if the slice has waited for the end of an outage.

        It does not where only a few connections are pending: it may be their own trouble.
        """
        slice_row, evidence = self._held.slice_row, self._evidence()
        is_few = (
            not slice_row.backlog.shards and len(slice_row.backlog.connections) <= evidence.most_own
        )
        probes_from = self._clock.monotonic() if slice_row.outage.rounds and not is_few else None
        return Breaker(evidence, probes_from=probes_from)

    def _evidence(self) -> Evidence:
        """Return what the broadcast has reached, as far as it is known here.

        A connection of a list that has no row counts as gone and was not posted to: what is written
        down of such a broadcast does not tell how many posts were answered with 410.
        """
        slice_row, summary = self._held.slice_row, self._held.summary
        progress = self._progress
        delivered = max(slice_row.delivered_before, summary.counts.delivered)
        delivered += progress.counts.delivered
        if summary.channel == LISTED:
            gone = progress.posted.gone
        else:
            gone = max(slice_row.gone_before, summary.counts.gone) + progress.counts.gone
        elsewhere = self._recent.elsewhere(summary.id, self._clock.epoch_ms())
        return Evidence(
            delivered=delivered, gone=gone, elsewhere=elsewhere or progress.refused_again
        )
