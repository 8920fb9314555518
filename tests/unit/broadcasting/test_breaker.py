"""The breaker stops within some dozens of posts for trouble of all, and never for a few."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broadcasting.breaker import (
    PROBES_AT_ONCE,
    PROBES_AT_SECONDS,
    PROBING_SECONDS,
    REFUSALS_IN_A_ROW,
    WINDOW_POSTS,
    Breaker,
    Observed,
)
from broadcasting.trouble import Answers, Evidence, Trouble

REACHED = Evidence(delivered=3_000)
OK = Observed(Answers(answered=1))
REFUSED = Observed(Answers(refused=1), refused_anew=1, reason="403 no")
LOST = Observed(Answers(lost=1), lost_anew=1, reason="503 down")
UNOPENED = Observed(Answers(lost=1), unopened=1, reason="refused")
THROTTLED = Observed(Answers(throttled=1))


def _observe(
    breaker: Breaker,
    *observed: Observed,
    times: int = 1,
    pending: float = math.inf,
    now: float = 0.0,
) -> None:
    for one in observed * times:
        breaker.observe(one, pending=pending, now=now)


def _probe(breaker: Breaker, result: Observed, *, now: float) -> int:
    """Let all probes go that may, and observe the same of each; return how many went."""
    went = breaker.permits(100, now)
    for _ in range(went):
        assert breaker.probe()
    vain = result.answers.lost + result.answers.refused
    for _ in range(went):
        observed = result._replace(probes_in_vain=vain, probes_answered=1 - vain)
        breaker.observe(observed, pending=math.inf, now=now)
    return went


def test_breaker_lets_posts_go_as_fast_as_they_may() -> None:
    """While it is closed, all posts are permitted, and none of them is a probe."""
    breaker = Breaker()

    _observe(breaker, OK, THROTTLED, times=1_000)

    assert (breaker.is_closed, breaker.permits(512, 0.0), breaker.probe()) == (True, 512, False)
    assert breaker.answers == Answers(1_000, throttled=1_000)


def test_breaker_opens_for_refusals_in_a_row() -> None:
    """After nothing but 403 it is our permission, even if much was delivered before."""
    breaker = Breaker(REACHED)

    _observe(breaker, OK, times=500)
    _observe(breaker, REFUSED, times=REFUSALS_IN_A_ROW - 1)
    assert breaker.is_closed
    _observe(breaker, REFUSED)

    assert (breaker.is_open, breaker.stopped_by) == (True, Trouble.FORBIDDEN)
    assert (breaker.permits(9, 0.0), breaker.reason) == (0, "403 no")


def test_breaker_counts_refused_connections_not_refusals() -> None:
    """A few connections that are tried again and again are still a few."""
    breaker = Breaker(REACHED)

    _observe(breaker, REFUSED, times=30)
    _observe(breaker, REFUSED._replace(refused_anew=0), times=120)

    assert breaker.is_closed


@pytest.mark.parametrize("between", [OK, Observed(Answers(answered=1, refused=1), refused_anew=1)])
def test_breaker_stays_closed_while_others_are_answered(between: Observed) -> None:
    """A refusal among answers is that connection's own."""
    breaker = Breaker(REACHED)

    for _ in range(20):
        _observe(breaker, REFUSED, times=REFUSALS_IN_A_ROW - 1)
        _observe(breaker, between)

    assert breaker.is_closed


def test_breaker_does_not_take_throttling_for_an_answer() -> None:
    """429 does not tell whether we may post."""
    breaker = Breaker(REACHED)

    _observe(breaker, REFUSED, THROTTLED, times=REFUSALS_IN_A_ROW)

    assert breaker.stopped_by is Trouble.FORBIDDEN


def test_breaker_stays_closed_while_only_a_few_are_left() -> None:
    """They are tried to the end, and then fail: the broadcast settles."""
    breaker = Breaker(REACHED)

    _observe(breaker, REFUSED, times=60, pending=60)
    _observe(breaker, LOST, times=300, pending=60)

    assert breaker.is_closed
    assert Breaker(REACHED).is_closed


def test_breaker_opens_though_only_a_few_are_left_when_nothing_can_be_opened() -> None:
    """An HTTP connection that is refused is never one client's own trouble."""
    breaker = Breaker(REACHED)

    _observe(breaker, UNOPENED, times=WINDOW_POSTS + 1, pending=1)
    breaker.permits(1, PROBING_SECONDS)

    assert breaker.stopped_by is Trouble.OUTAGE


def test_breaker_probes_when_most_posts_are_lost() -> None:
    """A few go at a time, with pauses that grow; some dozens go in all."""
    breaker = Breaker()
    _observe(breaker, OK, times=500)

    _observe(breaker, LOST, times=WINDOW_POSTS)
    assert not breaker.is_closed
    went = {at: _probe(breaker, LOST, now=at) for at in PROBES_AT_SECONDS}

    assert went == dict.fromkeys(PROBES_AT_SECONDS, PROBES_AT_ONCE)
    assert (breaker.permits(9, PROBING_SECONDS - 0.01), breaker.is_open) == (0, False)
    assert (breaker.permits(9, PROBING_SECONDS), breaker.is_open) == (0, True)
    assert (breaker.stopped_by, breaker.reason) == (Trouble.OUTAGE, "503 down")


def test_breaker_goes_on_when_a_probe_in_two_is_answered() -> None:
    """A moment's trouble costs a moment; what was lost before counts no more."""
    breaker = Breaker()
    _observe(breaker, LOST, times=WINDOW_POSTS)
    _probe(breaker, LOST, now=0.0)

    _probe(breaker, OK, now=0.1)

    assert breaker.is_closed
    _observe(breaker, LOST, times=WINDOW_POSTS - PROBES_AT_ONCE)
    assert breaker.is_closed


def test_breaker_does_not_take_late_losses_for_probes() -> None:
    """Posts that were under way before go on being lost: that says nothing new."""
    breaker = Breaker()
    _observe(breaker, LOST, times=WINDOW_POSTS)

    _observe(breaker, LOST, times=400, now=0.05)
    _probe(breaker, OK, now=0.1)

    assert breaker.is_closed


def test_breaker_stays_closed_when_half_are_lost() -> None:
    """They are tried again like any other."""
    breaker = Breaker()

    _observe(breaker, OK, LOST, times=500)

    assert breaker.is_closed


def test_breaker_stays_closed_while_the_same_connections_are_lost_again() -> None:
    """Some broken ones, tried again and again at the end of a round that went well."""
    breaker = Breaker()

    _observe(breaker, LOST, *[OK] * 9, times=20)
    _observe(breaker, LOST._replace(lost_anew=0), times=80, pending=20)

    assert breaker.is_closed


def test_breaker_probes_though_the_same_connections_are_lost_when_nothing_is_answered() -> None:
    """An endpoint that is down is not asked five times for each of twenty connections."""
    breaker = Breaker()

    _observe(breaker, LOST, times=20, pending=20)
    _observe(breaker, LOST._replace(lost_anew=0), times=WINDOW_POSTS - 20, pending=20)

    assert not breaker.is_closed


def test_breaker_of_a_slice_that_was_in_trouble_probes_first() -> None:
    """An endpoint that is still down gets some dozens of posts in a whole invocation."""
    breaker = Breaker(REACHED, probes_from=5.0)

    went = sum(_probe(breaker, LOST, now=5.0 + at / 10) for at in range(70))

    assert went == PROBES_AT_ONCE * len(PROBES_AT_SECONDS) < 36
    assert breaker.stopped_by is Trouble.OUTAGE


def test_breaker_that_probes_goes_on_when_it_is_answered() -> None:
    """The outage is over: at full speed from the first answer on."""
    breaker = Breaker(probes_from=0.0)

    _probe(breaker, OK, now=0.0)

    assert breaker.permits(512, 0.0) == 512


def test_breaker_whose_probes_are_refused_is_forbidden() -> None:
    """The kind of trouble is what most probes came to."""
    breaker = Breaker(probes_from=0.0)

    for at in PROBES_AT_SECONDS:
        _probe(breaker, REFUSED._replace(refused_anew=0), now=at)
    breaker.permits(1, PROBING_SECONDS)

    assert breaker.stopped_by is Trouble.FORBIDDEN


def test_breaker_takes_all_missed_probes_as_one() -> None:
    """No more probes go at once when the time jumps."""
    breaker = Breaker(probes_from=0.0)

    assert breaker.permits(100, 3.5) == PROBES_AT_ONCE


def test_breaker_that_knows_no_answer_to_its_probes_probes_anew() -> None:
    """No probe could go in time: the caller had to pause, for example, or its audience was slow."""
    breaker = Breaker(probes_from=0.0)

    permitted = breaker.permits(100, PROBING_SECONDS + 1.0)
    _probe(breaker, OK, now=PROBING_SECONDS + 1.0)

    assert (permitted, breaker.is_closed) == (PROBES_AT_ONCE, True)


def test_breaker_opens_without_credentials_and_stays_open() -> None:
    """No post can be signed; later answers change nothing."""
    breaker = Breaker(REACHED)

    breaker.forbid("no credentials")
    _observe(breaker, OK, times=100)
    _observe(breaker, LOST, times=100)

    assert (breaker.stopped_by, breaker.permits(1, 99.0)) == (Trouble.FORBIDDEN, 0)
    assert breaker.answers == Answers(100, lost=100)


def test_breaker_leaves_places_of_lost_posts_empty_until_later_ones_are_answered() -> None:
    """All but as many as it takes to notice that the endpoint does not answer."""
    breaker = Breaker(REACHED)
    breaker.begin(512, threads=1)
    _observe(breaker, Observed(Answers(answered=300, lost=100), lost_anew=100))
    _observe(breaker, Observed(Answers(answered=300)))

    meanwhile = breaker.empty_places
    assert breaker.observe_answered(212)

    assert (meanwhile, breaker.empty_places) == (100 - WINDOW_POSTS, 0)


def test_breaker_leaves_no_places_empty_while_only_a_few_are_pending() -> None:
    """They would wait for each other's time-outs; nor does an attempt to open take a place."""
    few, unopened = Breaker(REACHED), Breaker(REACHED)
    half = Observed(Answers(answered=100, lost=100), lost_anew=100)

    for breaker, pending, observed in (
        (few, 60, half),
        (unopened, math.inf, half._replace(lost_anew=0, unopened=100)),
    ):
        breaker.begin(512, threads=1)
        _observe(breaker, observed, pending=pending)

    assert (few.empty_places, unopened.empty_places) == (0, 0)
    assert few.is_closed


def test_breaker_probes_when_no_place_is_left() -> None:
    """Though the same few are lost again and again, of which its window takes no note."""
    breaker = Breaker(REACHED)
    breaker.begin(20, threads=1)
    breaker.observe_answered(900)

    _observe(breaker, LOST._replace(lost_anew=0), times=20 + WINDOW_POSTS - 1)
    before = (breaker.is_closed, breaker.empty_places)
    _observe(breaker, LOST._replace(lost_anew=0))

    assert (before, breaker.is_closed, breaker.empty_places) == ((True, 19), False, 0)


def test_breaker_takes_posts_that_were_answered_in_a_few_steps() -> None:
    """The usual case is cheap; in any other the breaker has to be told everything."""
    breaker = Breaker()
    _observe(breaker, REFUSED, times=30)

    assert breaker.observe_answered(512)
    assert breaker.answers == Answers(512, refused=30)
    _observe(breaker, REFUSED, times=30)
    assert breaker.is_closed
    _observe(breaker, LOST)
    assert not breaker.observe_answered(1)
    assert not Breaker(probes_from=0.0).observe_answered(1)


def test_breaker_opens_in_the_end_when_no_probe_was_answered() -> None:
    """An invocation may be too short for all probes."""
    refused, answered, idle = (Breaker(probes_from=0.0) for _ in range(3))
    _probe(refused, REFUSED, now=0.0)
    answered.observe(OK, pending=math.inf, now=0.0)

    for breaker in (refused, answered, idle):
        breaker.end()

    assert refused.stopped_by is Trouble.FORBIDDEN
    assert (answered.stopped_by, idle.stopped_by) == (None, Trouble.OUTAGE)


@pytest.mark.parametrize(
    ("before", "trouble"),
    [([], Trouble.OUTAGE), ([OK], None), ([REFUSED], None), ([THROTTLED], None), ([LOST], None)],
)
def test_breaker_opens_in_the_end_when_nothing_could_be_opened(
    before: list[Observed], trouble: Trouble | None
) -> None:
    """It opens after few attempts, too, but not when a post has reached the endpoint."""
    breaker = Breaker(REACHED)
    _observe(breaker, *before)
    _observe(breaker, UNOPENED, times=3, pending=1)

    breaker.end()

    assert breaker.stopped_by is trouble


def test_breaker_counts_as_lost_what_was_not_answered_in_time() -> None:
    """They count when the round is judged; they open nothing after posting has ended."""
    breaker = Breaker(REACHED)
    _observe(breaker, OK)

    breaker.abandon(512)
    breaker.end()

    assert breaker.answers == Answers(1, lost=512)
    assert (breaker.is_closed, breaker.stopped_by) == (True, None)


def test_breaker_that_observed_nothing_stays_closed_in_the_end() -> None:
    """There was no post to make."""
    breaker = Breaker()

    breaker.end()

    assert breaker.is_closed


@given(
    history=st.lists(st.sampled_from([OK, REFUSED, LOST, THROTTLED, UNOPENED]), max_size=300),
    seconds=st.floats(0.0, 0.2),
)
def test_breaker_lets_some_dozens_of_vain_posts_go_at_most(
    history: list[Observed], seconds: float
) -> None:
    """After the last answer a window of posts, the refusals and the probes may go, and no more."""
    breaker, went = Breaker(REACHED), 0

    for number, observed in enumerate([*history, *[LOST] * 200]):
        now = number * seconds
        if not breaker.permits(1, now):
            continue
        is_probe = breaker.probe()
        is_vain = observed in (REFUSED, LOST, UNOPENED)
        vain, answered = int(is_probe and is_vain), int(is_probe and not is_vain)
        observed = observed._replace(probes_in_vain=vain, probes_answered=answered)  # noqa: PLW2901
        breaker.observe(observed, pending=math.inf, now=now)
        went = 0 if observed.answers.answered or observed.answers.throttled else went + 1

    assert went <= 2 * WINDOW_POSTS + REFUSALS_IN_A_ROW + PROBES_AT_ONCE * len(PROBES_AT_SECONDS)


@given(
    refused=st.sets(st.integers(0, 1_999), max_size=16),
    lost=st.sets(st.integers(0, 1_999), max_size=16),
)
def test_breaker_never_stops_for_a_few_wherever_they_stand(
    refused: set[int], lost: set[int]
) -> None:
    """Also when they are the first ones, and no connection was reached before."""
    breaker = Breaker()

    for number in range(2_000):
        observed = REFUSED if number in refused else LOST if number in lost else OK
        _observe(breaker, observed)

    assert breaker.is_closed
