"""A circuit breaker: stops posting when all connections are in trouble, and probes first.

    closed ── most of the last posts were lost ──> probing ── a probe in two is answered ──> closed
      │                                               │
      └── nothing but refusals ──> open <─────────────┘ not so for some seconds

While it is closed, posts go as fast as they may. While it is probing, a few posts go at a time,
with pauses that grow, so that a moment's trouble costs a moment, and an endpoint that is down gets
some dozens of posts, not five for each connection. While it is open, no post goes any more in this
invocation.

While it is closed, the places of lost posts stay empty, all but 36 (WINDOW_POSTS), until as many
posts have been answered as may be under way at once. So when an endpoint stops answering, the posts
under way, 36 more and the probes are lost at most, for every order in which answers and losses are
read: a post that begins after that moment takes the place of one that was answered, or is one of
the 36, or a probe.

It stays closed while only a few connections are pending: the trouble may be their own. The time is
passed in, in monotonic seconds. `trouble` says which trouble is a connection's own, and what a few
are. This file has more than 200 lines because the three states are read together; what they count
with is in `lost_window`, `lost_places` and `probes`.
"""

import math
from enum import Enum, auto
from typing import NamedTuple

from broadcasting.lost_places import LostPlaces
from broadcasting.lost_window import LostWindow
from broadcasting.probes import Probes
from broadcasting.trouble import Answers, Evidence, Trouble

REFUSALS_IN_A_ROW = 36
"""After this many connections were refused (403) in a row, and no post was answered between them,
it is our own permission that is missing."""

WINDOW_POSTS = 36
"""When most of at least this many posts are lost, the endpoint is only probed. The last posts that
say something new are looked at, and all posts."""

PROBES_AT_ONCE = 4
PROBES_AT_SECONDS = (0.0, 0.1, 0.3, 0.7, 1.5, 3.1)
"""When each group of probes goes, after probing has begun."""

PROBING_SECONDS = 6.0
"""How long the endpoint is probed: longer than a post waits for its answer."""

NO_EVIDENCE = Evidence()


class Observed(NamedTuple):
    """What some posts came to. `answers` are all of them; the other numbers are parts of these.

    `refused_anew` and `lost_anew` count the connections that were refused, or whose post was lost,
    for the first time in this round: repeats to the same few say nothing new of the others.
    `unopened` counts the HTTP connections that could not be opened (they count as lost, too),
    `probes_answered` and `probes_in_vain` the posts that were probes.
    """

    answers: Answers
    refused_anew: int = 0
    lost_anew: int = 0
    unopened: int = 0
    probes_answered: int = 0
    probes_in_vain: int = 0
    reason: str = ""
    """Why the last post that was refused or lost was so."""


class _State(Enum):
    CLOSED = auto()
    PROBING = auto()
    OPEN = auto()


class Breaker:
    """Observes what posts come to, and says how many more may go."""

    def __init__(
        self, evidence: Evidence = NO_EVIDENCE, *, probes_from: float | None = None
    ) -> None:
        """Take what was reached before; `probes_from` is the time now after trouble."""
        self.answers = Answers()
        """What all posts of this round came to."""
        self.stopped_by: Trouble | None = None
        """Why the breaker is open; None while it is not."""
        self.reason = ""
        """Why the last post that was refused or lost was so."""
        self._evidence = evidence
        self._state = _State.CLOSED
        self._refused_in_a_row = 0
        self._window = LostWindow(WINDOW_POSTS)
        self._lost_places = LostPlaces(math.inf, threads=1, refilled=WINDOW_POSTS)
        self.empty_places = 0
        """How many fewer posts than usual each thread may have under way now. Any may read it."""
        self._unopened_in_a_row = 0
        self._before_closed = Answers()
        self._probing_since = 0.0
        self._probes = Probes((), at_once=PROBES_AT_ONCE)
        self._before = Answers()
        if probes_from is not None:
            self._probe(probes_from)

    @property
    def is_closed(self) -> bool:
        """Whether posts may go as fast as they can."""
        return self._state is _State.CLOSED

    @property
    def is_open(self) -> bool:
        """Whether no post may go any more."""
        return self._state is _State.OPEN

    def begin(self, places: float, *, threads: int) -> None:
        """Begin to post: `places` posts may be under way at once, of all `threads` together."""
        self._lost_places = LostPlaces(places, threads=threads, refilled=WINDOW_POSTS)
        self.empty_places = 0

    def forbid(self, reason: str) -> None:
        """Open it: there are no credentials to sign with."""
        self.reason = reason
        self._open(Trouble.FORBIDDEN)

    def permits(self, wanted: int, now: float) -> int:
        """Return how many of the wanted posts may go now."""
        if self._state is _State.CLOSED:
            return wanted
        if self._state is _State.OPEN:
            return 0
        self._look(now)
        return min(wanted, self._probes.remaining) if self._state is _State.PROBING else 0

    def probe(self) -> bool:
        """Use up one permit; tell whether it is a probe that goes."""
        if self._state is _State.CLOSED:
            return False
        self._probes.use_up()
        return True

    def observe_answered(self, posts: int) -> bool:
        """Take posts that were all answered, and return True: the usual case.

        Returns False, and takes nothing, when `observe` has to take them.
        """
        if self._state is not _State.CLOSED or self._window.lost:
            return False
        answered, *others = self.answers
        self.answers = Answers(answered + posts, *others)
        self._refused_in_a_row = self._unopened_in_a_row = 0
        if self._lost_places.lost:
            self._lost_places.add(posts, 0)
            self.empty_places = min(self.empty_places, self._lost_places.empty)
        return True

    def observe(self, observed: Observed, *, pending: float, now: float) -> None:
        """Take what posts came to. `pending` counts the connections that have not ended yet.

        It is infinite when their number is not known.
        """
        answers = observed.answers
        self.answers = Answers(*map(sum, zip(self.answers, answers, strict=True)))
        self.reason = observed.reason or self.reason
        if self._state is _State.OPEN:
            return
        self._count_in_a_row(observed)
        if self._state is _State.PROBING:
            self._observe_probes(observed, now)
        else:
            self._add_to_window(observed)
        is_few = pending <= self._most_own
        if self._refused_in_a_row >= REFUSALS_IN_A_ROW and not is_few:
            self._open(Trouble.FORBIDDEN)
        elif self._state is _State.CLOSED and self._is_lost(is_few=is_few):
            self._probe(now)
        else:
            self.empty_places = 0 if is_few else self._lost_places.empty

    def abandon(self, posts: int) -> None:
        """Take posts that were not answered when the time was up: they count as lost.

        That is for the judgement of the round alone: posting is over, so the state stays.
        """
        self.answers = self.answers._replace(lost=self.answers.lost + posts)

    def end(self) -> None:
        """Take note that the posting ends: its time may have been too short for a conclusion."""
        if self._state is _State.PROBING:
            probed = _less(self.answers, self._before)
            if not (probed.answered or probed.throttled):
                self._open_for(probed)
        elif self._state is _State.CLOSED and self._unopened_in_a_row == sum(self.answers) > 0:
            self._open(Trouble.OUTAGE)

    def _count_in_a_row(self, observed: Observed) -> None:
        """Count refusals and failed openings that no answer has interrupted."""
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
        since_closed = _less(self.answers, self._before_closed)
        are_all_lost = since_closed.lost >= WINDOW_POSTS and since_closed.is_mostly_lost
        is_lost = self._window.is_mostly_lost or self._lost_places.are_all_empty or are_all_lost
        return is_lost and not is_few

    @property
    def _most_own(self) -> int:
        """How many connections may be in trouble of their own, by all that is known now."""
        reached = self._evidence.delivered + self.answers.answered
        return self._evidence._replace(delivered=reached).most_own

    def _add_to_window(self, observed: Observed) -> None:
        """Add the posts that say something new; all that were lost leave their places."""
        lost = observed.lost_anew + observed.unopened
        answered = sum(observed.answers) - observed.answers.lost
        self._window.add(answered + lost, lost)
        self._lost_places.add(answered, observed.answers.lost - observed.unopened)

    def _probe(self, now: float) -> None:
        """Begin to probe."""
        self._state = _State.PROBING
        self._probing_since = now
        times = (now + seconds for seconds in PROBES_AT_SECONDS)
        self._probes = Probes(times, at_once=PROBES_AT_ONCE)
        self._before = self.answers
        self._lost_places.clear()
        self.empty_places = 0
        self._look(now)

    def _observe_probes(self, observed: Observed, now: float) -> None:
        if self._probes.observe(observed.probes_answered, observed.probes_in_vain):
            self._state = _State.CLOSED
            self._window.clear()
            self._refused_in_a_row = self._unopened_in_a_row = 0
            self._before_closed = self.answers
        else:
            self._look(now)

    def _look(self, now: float) -> None:
        """Look whether more probes may go, and whether probing is over."""
        self._probes.look(now)
        if now - self._probing_since >= PROBING_SECONDS:
            self._conclude(now)

    def _conclude(self, now: float) -> None:
        """End probing by what the probes came to; begin anew when no probe could go."""
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
    """Return what posts came to after an earlier moment."""
    return Answers(*(now - then for now, then in zip(answers, before, strict=True)))
