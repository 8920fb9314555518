"""A circuit breaker: stops posting when what is heard is everyone's trouble, and probes first.

    closed ── most of the last posts were lost ──> probing ── a probe in two is answered ──> closed
      │                                               │
      └── nothing but refusals ──> open <─────────────┘ not so for some seconds

Closed, posts go as fast as they may. Probing, a few go at a time, further and further apart, so
that a moment's trouble costs a moment, and an endpoint that is down is asked some dozens of times,
not five times for each connection. Open, no post goes any more in this invocation.

It stays closed while only a few connections are left, whose own trouble it may be. Pure: the time,
in monotonic seconds, is passed in. What is whose, and what a few are: `broadcasting.trouble`.
"""

from collections import deque
from enum import Enum, auto
from typing import NamedTuple

from broadcasting.trouble import Answers, Evidence, Trouble

REFUSALS_IN_A_ROW = 36
"""How many connections hear 403, and no post is answered meanwhile, until it is our permission."""

WINDOW_POSTS = 36
"""Of how many posts at least most are lost, until the endpoint is probed only: of the last ones
that say something new, or of all."""

PROBES_AT_ONCE = 4
PROBES_AT_SECONDS = (0.0, 0.1, 0.3, 0.7, 1.5, 3.1)
"""When probes go, from when probing began."""

PROBING_SECONDS = 6.0
"""How long it is probed: longer than an answer is waited for."""

NO_EVIDENCE = Evidence()


class Observed(NamedTuple):
    """What some posts came to. `answers` are all of them; the rest are parts of these.

    `refused_anew` and `lost_anew` count the connections that heard that for the first time in this
    round: what the same few hear again and again says nothing new of the others. `unopened` counts
    the HTTP connections that could not be opened (they count as lost, too),
    `probes_answered` and `probes_in_vain` the posts that were probes.
    """

    answers: Answers
    refused_anew: int = 0
    lost_anew: int = 0
    unopened: int = 0
    probes_answered: int = 0
    probes_in_vain: int = 0
    reason: str = ""
    """What the last one heard that was refused or lost."""


class _State(Enum):
    CLOSED = auto()
    PROBING = auto()
    OPEN = auto()


class Breaker:
    """Hears what posts come to, and says how many more may go."""

    def __init__(
        self, evidence: Evidence = NO_EVIDENCE, *, probes_from: float | None = None
    ) -> None:
        """Take what was reached before; `probes_from` is now for a slice that was in trouble."""
        self.answers = Answers()
        """All that was heard in this round."""
        self.stopped_by: Trouble | None = None
        """Why it is open; None while it is not."""
        self.reason = ""
        """What was heard last that was refused or lost."""
        self._evidence = evidence
        self._state = _State.CLOSED
        self._refused_in_a_row = 0
        self._window: deque[tuple[int, int]] = deque()
        self._window_posts = self._window_lost = 0
        self._unopened_in_a_row = 0
        self._before_closed = Answers()
        self._probing_since = 0.0
        self._probes_left = 0
        self._probe_times: deque[float] = deque()
        self._answered = self._in_vain = 0
        self._before = Answers()
        if probes_from is not None:
            self._probe(probes_from)

    @property
    def is_closed(self) -> bool:
        """Whether posts may go as fast as they can."""
        return self._state is _State.CLOSED

    @property
    def is_open(self) -> bool:
        """Whether no post goes any more."""
        return self._state is _State.OPEN

    def forbid(self, reason: str) -> None:
        """Stop: there are no credentials to sign with."""
        self.reason = reason
        self._open(Trouble.FORBIDDEN)

    def permits(self, wanted: int, now: float) -> int:
        """Return how many of the wanted posts may go now."""
        if self._state is _State.CLOSED:
            return wanted
        if self._state is _State.OPEN:
            return 0
        self._look(now)
        return min(wanted, self._probes_left) if self._state is _State.PROBING else 0

    def probe(self) -> bool:
        """Use up one permit; tell whether it is a probe that goes."""
        if self._state is _State.CLOSED:
            return False
        self._probes_left = max(0, self._probes_left - 1)
        return True

    def observe_answered(self, posts: int) -> bool:
        """Take posts that were all answered, if that is all there is to know: the usual case.

        Returns whether it is; else `observe` has to be told.
        """
        if self._state is not _State.CLOSED or self._window_lost:
            return False
        answered, *others = self.answers
        self.answers = Answers(answered + posts, *others)
        self._refused_in_a_row = self._unopened_in_a_row = 0
        return True

    def observe(self, observed: Observed, *, left: float, now: float) -> None:
        """Take what posts came to; `left` connections have not ended, infinite if unknown."""
        answers = observed.answers
        self.answers = Answers(*map(sum, zip(self.answers, answers, strict=True)))
        self.reason = observed.reason or self.reason
        if self._state is _State.OPEN:
            return
        self._count_in_a_row(observed)
        if self._state is _State.PROBING:
            self._observe_probes(observed, now)
        else:
            self._slide(observed)
        is_few = left <= self._most_own
        if self._refused_in_a_row >= REFUSALS_IN_A_ROW and not is_few:
            self._open(Trouble.FORBIDDEN)
        elif self._state is _State.CLOSED and self._is_lost(is_few=is_few):
            self._probe(now)

    def abandon(self, posts: int) -> None:
        """Take posts that were not answered when the time was up: lost, as far as that is known.

        They count when the round is judged. Posting is over: they stop nothing any more.
        """
        self.answers = self.answers._replace(lost=self.answers.lost + posts)

    def end(self) -> None:
        """Take note that the posting ends: the time may have been too short to tell before."""
        if self._state is _State.PROBING:
            probed = _less(self.answers, self._before)
            if not (probed.answered or probed.throttled):
                self._open_for(probed)
        elif self._state is _State.CLOSED and self._unopened_in_a_row == sum(self.answers) > 0:
            self._open(Trouble.OUTAGE)

    def _count_in_a_row(self, observed: Observed) -> None:
        """Count what was heard without an answer in between."""
        answers = observed.answers
        self._unopened_in_a_row += observed.unopened
        self._refused_in_a_row += observed.refused_anew
        if answers.answered:
            self._refused_in_a_row = 0
        if answers.answered or answers.refused or answers.throttled:
            self._unopened_in_a_row = 0

    def _is_lost(self, *, is_few: bool) -> bool:
        """Tell whether the endpoint seems not to answer."""
        if self._unopened_in_a_row >= WINDOW_POSTS:
            return True
        are_last_lost = 2 * self._window_lost > self._window_posts >= WINDOW_POSTS
        since_closed = _less(self.answers, self._before_closed)
        are_all_lost = since_closed.lost >= WINDOW_POSTS and since_closed.is_mostly_lost
        return (are_last_lost or are_all_lost) and not is_few

    @property
    def _most_own(self) -> int:
        """How many may be refused on their own, by all that is known now."""
        reached = self._evidence.delivered + self.answers.answered
        return self._evidence._replace(delivered=reached).most_own

    def _slide(self, observed: Observed) -> None:
        """Let the window move on: it holds the last posts, in the batches that they came in."""
        lost = observed.lost_anew + observed.unopened
        posts = sum(observed.answers) - observed.answers.lost + lost
        self._window.append((posts, lost))
        self._window_posts += posts
        self._window_lost += lost
        while self._window and self._window_posts - self._window[0][0] >= WINDOW_POSTS:
            posts, lost = self._window.popleft()
            self._window_posts -= posts
            self._window_lost -= lost

    def _probe(self, now: float) -> None:
        """Begin to probe."""
        self._state = _State.PROBING
        self._probing_since = now
        self._probes_left = 0
        self._probe_times = deque(now + seconds for seconds in PROBES_AT_SECONDS)
        self._before = self.answers
        self._look(now)

    def _observe_probes(self, observed: Observed, now: float) -> None:
        self._answered += observed.probes_answered
        self._in_vain += observed.probes_in_vain
        if self._answered and self._answered >= self._in_vain:
            self._state = _State.CLOSED
            self._window.clear()
            self._window_posts = self._window_lost = 0
            self._refused_in_a_row = self._unopened_in_a_row = 0
            self._before_closed = self.answers
        else:
            self._look(now)

    def _look(self, now: float) -> None:
        """See whether more probes may go, or whether probing is over."""
        while self._probe_times and now >= self._probe_times[0]:
            self._probe_times.popleft()
            self._probes_left = PROBES_AT_ONCE
            self._answered = self._in_vain = 0  # each group of probes is judged by itself
        if now - self._probing_since >= PROBING_SECONDS:
            self._conclude(now)

    def _conclude(self, now: float) -> None:
        """End probing by what was heard; begin anew if that is nothing: no probe could go."""
        probed = _less(self.answers, self._before)
        if not (probed.refused or probed.lost):
            self._probe(now)
        else:
            self._open_for(probed)

    def _open_for(self, probed: Answers) -> None:
        is_refused = probed.refused > probed.lost
        self._open(Trouble.FORBIDDEN if is_refused else Trouble.OUTAGE)

    def _open(self, trouble: Trouble) -> None:
        self._state = _State.OPEN
        self.stopped_by = trouble


def _less(answers: Answers, before: Answers) -> Answers:
    """Return what was heard after something else."""
    return Answers(*(now - then for now, then in zip(answers, before, strict=True)))
