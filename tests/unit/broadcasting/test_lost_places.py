"""The places of lost posts stay empty until it is sure that later posts have been answered."""

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broadcasting.breaker import WINDOW_POSTS, Breaker, Observed
from broadcasting.lost_places import LostPlaces
from broadcasting.trouble import Answers, Evidence

PLACES, REFILLED = 100, 10


def _places(*, threads: int = 1) -> LostPlaces:
    return LostPlaces(PLACES, threads=threads, refilled=REFILLED)


@pytest.mark.parametrize(("lost", "empty"), [(0, 0), (REFILLED, 0), (REFILLED + 1, 1), (60, 50)])
def test_lost_places_stay_empty_but_for_some(lost: int, empty: int) -> None:
    """A few losses are always made up for at once."""
    places = _places()

    places.add(0, lost)

    assert (places.lost, places.empty) == (lost, empty)


@pytest.mark.parametrize(("answered", "lost"), [(PLACES - 1, 60), (PLACES, 0)])
def test_lost_places_are_used_again_when_as_many_were_answered_as_may_be_under_way(
    answered: int, lost: int
) -> None:
    """Until then all of them may have begun before the loss, as those in its batch."""
    places = _places()

    places.add(PLACES, 60)
    places.add(answered, 0)

    assert places.lost == lost


def test_lost_places_of_each_batch_wait_for_answers_of_their_own() -> None:
    """What was lost later is made up for later."""
    places = _places()

    for lost in (30, 40):
        places.add(60, lost)
    both = places.lost
    places.add(60, 0)

    assert (both, places.lost) == (70, 40)


@pytest.mark.parametrize(("threads", "lost"), [(1, PLACES), (2, PLACES // 2)])
def test_lost_places_are_all_empty_when_no_thread_may_post(threads: int, lost: int) -> None:
    """Each thread has its part of the places, and leaves as many empty as all have to."""
    places = _places(threads=threads)

    places.add(0, REFILLED + lost - 1)
    before = places.are_all_empty
    places.add(0, 1)

    assert (before, places.are_all_empty) == (False, True)


def test_lost_places_begin_anew() -> None:
    """When a probe is answered, all places may be used."""
    places = _places()
    places.add(50, 60)

    places.clear()
    places.add(50, 20)
    places.add(PLACES - 1, 0)

    assert places.lost == 20


_Step = Callable[[int, int, int, bool], None]


class _Blip:
    """From now on every post that begins is lost. Of those under way some have been answered.

    Each thread reads endings, reads how many places to leave empty, looks whether the breaker is
    closed, and begins as many posts as it may: one such step at a time, between those of others.
    """

    def __init__(self, breaker: Breaker, *, places: int, answered: list[int]) -> None:
        self._breaker = breaker
        self._places = places
        self._answered = answered
        self._lost = [places - one for one in answered]
        self._empty = [0] * len(answered)
        self._next: list[_Step] = [self._read] * len(answered)
        self._seen = 0

    @property
    def lost(self) -> int:
        """How many posts have been lost, or will be."""
        return self._seen + sum(self._lost)

    @property
    def is_over(self) -> bool:
        """Whether no thread begins a post any more."""
        return not self._breaker.is_closed and self._begin not in self._next

    def step(self, thread: int, answered: int, lost: int, *, anew: bool) -> None:
        """Let a thread go on; where it reads, these are the endings, as far as there are any."""
        self._next[thread](thread, answered, lost, anew)

    def _read(self, thread: int, answered: int, lost: int, anew: bool) -> None:  # noqa: FBT001
        answered, lost = min(answered, self._answered[thread]), min(lost, self._lost[thread])
        self._answered[thread] -= answered
        self._lost[thread] -= lost
        self._seen += lost
        if lost or not self._breaker.observe_answered(answered):
            observed = Observed(Answers(answered, lost=lost), lost_anew=lost * anew)
            self._breaker.observe(observed, pending=math.inf, now=0.0)
        self._next[thread] = self._look

    def _look(self, thread: int, *_: object) -> None:
        self._empty[thread] = self._breaker.empty_places
        is_closed = self._breaker.is_closed
        self._next[thread] = self._begin if is_closed else self._read

    def _begin(self, thread: int, *_: object) -> None:
        most = max(1, self._places - self._empty[thread])
        self._lost[thread] += max(0, most - self._answered[thread] - self._lost[thread])
        self._next[thread] = self._read


@given(data=st.data(), places=st.sampled_from([1, 4, 32, 256]), threads=st.integers(1, 3))
def test_breaker_lets_no_more_posts_be_lost_in_a_blip_in_whatever_order_they_are_read(
    data: st.DataObject, places: int, threads: int
) -> None:
    """As many as may be under way at once, and those that it takes to notice; probes come on top.

    They may be those of the same connections, tried again, of which the window takes no note.
    """
    breaker = Breaker(Evidence(delivered=500))
    breaker.begin(threads * places, threads=threads)
    breaker.observe_answered(3_000)
    under_way = st.integers(0, places)
    answered = data.draw(st.lists(under_way, min_size=threads, max_size=threads))
    steps = st.tuples(st.integers(0, threads - 1), under_way, under_way)
    anew = data.draw(st.booleans())
    blip = _Blip(breaker, places=places, answered=answered)

    for thread, some, others in data.draw(st.lists(steps, max_size=60)):
        blip.step(thread, some, others, anew=anew)
    number = 0
    while not blip.is_over:
        blip.step(number % threads, places, 1 + number % 7, anew=anew)
        number += 1

    assert blip.lost <= threads * places + WINDOW_POSTS
