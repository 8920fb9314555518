"""What one worker may post of the shared budget; the tests set the time."""

import math

import pytest

from broadcasting.pacing.allowance import LEAD_SECONDS, Allowance
from broadcasting.pacing.budget import Ask
from broadcasting.pacing.head_start import LINGER_SECONDS
from broadcasting.pacing.held_grant import FRESH_SECONDS
from broadcasting.pacing.local_share import LOCAL_SECONDS, LOCAL_SHARE
from broadcasting.pacing.pace import Pace

PACE = Pace(posts_per_second=8_000.0, burst=4_000.0)
HEAD_START = 62
MANY = 1_000_000
STEP = 1 / 1024
"""The seconds between two granted posts: exact in floating point."""


def _begun(now: float = 0.0) -> Allowance:
    allowance = Allowance(PACE)
    allowance.begin(now)
    return allowance


def _granted(posts: int, *, opens_at: float = 0.0, now: float = 0.0) -> Allowance:
    """Return the allowance of a big broadcast with a grant."""
    allowance = _begun(now)
    allowance.ask(MANY, 1.0)
    allowance.receive(posts, opens_at=opens_at, seconds_per_post=STEP, now=now)
    return allowance


def _take(allowance: Allowance, wanted: int, now: float = 0.0, cost: float = 1.0) -> int:
    return allowance.take(wanted, wanted, now, cost)


def test_small_broadcast_begins_at_once() -> None:
    """The first posts of a worker that was idle do not wait for the row."""
    allowance = _begun()

    assert _take(allowance, 300) == HEAD_START
    assert _take(allowance, 200) == 0
    assert allowance.uncharged == HEAD_START


def test_big_broadcast_waits_for_its_first_grant() -> None:
    """Many workers that begin at once would together exceed the burst."""
    assert _take(_begun(), 401) == 0


def test_broadcast_that_grows_big_loses_its_head_start() -> None:
    """It looked small only while the worker had read a part of its connections."""
    allowance = _begun()
    _take(allowance, 50)

    assert allowance.take(60, 1_000, 0.0, 1.0) == 0


@pytest.mark.parametrize(("burst", "head_start"), [(50.0, 1), (640.0, 10), (1e6, 100)])
def test_head_start_is_a_small_part_of_the_burst(burst: float, head_start: int) -> None:
    """64 workers that begin at once post no more than the burst."""
    allowance = Allowance(Pace(1_000.0, burst))
    allowance.begin(0.0)

    assert _take(allowance, min(100, int(0.4 * burst))) == head_start


def test_grant_pays_for_the_head_start_first() -> None:
    """Posts that have gone already are not granted again, even if they went after asking."""
    allowance = _begun()
    _take(allowance, 40)
    asked = allowance.ask(260, 1.0)
    _take(allowance, 22)

    allowance.receive(300, opens_at=-1.0, seconds_per_post=STEP, now=0.0)

    assert asked == Ask(uncharged=40, most=260, is_small=True)
    assert allowance.uncharged == 0
    assert _take(allowance, 300) == 300 - HEAD_START


def test_grant_opens_post_by_post() -> None:
    """The first post opens at its time, each further one a step later."""
    allowance = _granted(3, opens_at=1.0)

    taken = [_take(allowance, 9, 1.0 + step * STEP) for step in (-1, 0, 0.5, 1, 5, 6)]

    assert taken == [0, 1, 0, 1, 1, 0]


def test_posts_that_are_fresh_serve_the_next_broadcast() -> None:
    """The next broadcast has what the one before did not use, without asking."""
    allowance = _granted(1_000, opens_at=-1.0)
    _take(allowance, 700)
    allowance.begin(FRESH_SECONDS / 2)

    assert allowance.ask_at(300, FRESH_SECONDS / 2, 1.0) == math.inf
    assert _take(allowance, 300, FRESH_SECONDS / 2) == 300
    assert allowance.uncharged == 0


def test_posts_that_are_not_fresh_are_lost() -> None:
    """Other workers post in their place by now."""
    allowance = _granted(1_000, opens_at=-1.0)

    assert _take(allowance, MANY, FRESH_SECONDS) == 0


def test_posts_become_stale_one_by_one_too() -> None:
    """A post is fresh for a while after it has opened."""
    allowance = _granted(1_000)

    assert _take(allowance, MANY, FRESH_SECONDS + 99.5 * STEP) == FRESH_SECONDS / STEP


def test_posts_that_were_not_sent_are_given_back() -> None:
    """Another thread may have taken the connections."""
    allowance = _granted(10, opens_at=-1.0)
    _take(allowance, 10)

    allowance.give_back(4, 1.0)

    assert _take(allowance, 10) == 4


def test_posts_of_the_head_start_that_were_given_back_are_not_charged() -> None:
    """Two threads may have taken posts for the same connections."""
    allowance = _begun()
    _take(allowance, 20)

    allowance.give_back(8, 1.0)

    assert allowance.uncharged == 12
    assert _take(allowance, 100) == HEAD_START - 12


def test_posts_of_the_head_start_that_were_given_back_while_asking_are_paid_for() -> None:
    """The reservation under way charges these posts, so they may go."""
    allowance = _begun()
    _take(allowance, 20)
    allowance.ask(0, 1.0)

    allowance.give_back(8, 1.0)

    assert allowance.uncharged == 20
    assert _take(allowance, 100) == HEAD_START - 20 + 8


def test_posts_go_with_the_oldest_grant_first() -> None:
    """Its posts are the first to be lost."""
    allowance = _granted(10, opens_at=-1.0)
    allowance.ask(MANY, 1.0)
    allowance.receive(10, opens_at=-1.0, seconds_per_post=STEP, now=FRESH_SECONDS / 2)

    assert _take(allowance, 10, FRESH_SECONDS / 2) == 10

    assert _take(allowance, MANY, FRESH_SECONDS) == 10


def test_posts_that_were_given_back_do_not_outlive_their_broadcast() -> None:
    """It is not known how fresh they are."""
    allowance = _granted(10, opens_at=-1.0)
    _take(allowance, 10)
    allowance.give_back(4, 1.0)
    allowance.begin(0.0)

    assert allowance.take(10, MANY, 0.0, 1.0) == 0


def test_worker_that_has_slowed_down_uses_a_part_of_what_it_is_granted() -> None:
    """At half the rate a post costs two."""
    allowance = _granted(100, opens_at=-1.0)

    assert _take(allowance, 100, cost=2.0) == 50
    assert allowance.ask(10, 2.0).most == 20


def test_first_request_lingers_until_the_broadcast_is_known() -> None:
    """One request pays for the whole broadcast."""
    allowance = _begun(1.0)
    before = allowance.ask_at(3, 1.0, 1.0)
    _take(allowance, 3, 1.0)

    assert before == math.inf
    assert allowance.ask_at(0, 1.002, 1.0) == 1.0 + LINGER_SECONDS


def test_first_request_is_sent_at_once_when_half_the_head_start_is_used() -> None:
    """The other half lasts until the answer."""
    allowance = _begun()
    _take(allowance, HEAD_START // 2)

    assert allowance.ask_at(250, 0.0, 1.0) == 0.0


def test_worker_with_few_granted_posts_takes_one_and_owes_the_remainder() -> None:
    """A post of any cost goes with one granted post: it does not wait for the whole cost."""
    allowance = _granted(1, opens_at=-1.0)
    first = _take(allowance, 9, cost=3.0)
    allowance.ask(8, 3.0)
    allowance.receive(4, opens_at=0.0, seconds_per_post=STEP, now=0.0)

    taken = [_take(allowance, 9, place * STEP, 3.0) for place in range(4)]

    assert (first, taken) == (1, [0, 0, 1, 0])


def test_worker_asks_for_what_it_owes() -> None:
    """Otherwise the next post would never go."""
    allowance = _granted(1, opens_at=-1.0)
    _take(allowance, 1, cost=3.0)

    assert allowance.wait_seconds(0.0) == math.inf
    assert allowance.ask_at(1, 0.0, 3.0) <= 0.0
    assert allowance.ask(1, 3.0).most == 5


def test_big_broadcast_asks_at_once() -> None:
    """It posts nothing before the first grant."""
    assert _begun().ask_at(401, 0.0, 1.0) == 0.0


def test_more_is_asked_for_ahead_of_need() -> None:
    """The worker asks a little before its last granted post may go."""
    allowance = _granted(1_025)
    soon = 1.0 - LEAD_SECONDS
    _take(allowance, MANY, soon)

    assert allowance.ask_at(MANY, soon - 0.01, 1.0) == pytest.approx(soon)
    assert allowance.ask_at(MANY, soon + 0.01, 1.0) <= soon + 0.01


def test_no_more_is_asked_for_while_many_posts_are_there() -> None:
    """They last longer than a request takes."""
    assert _granted(1_000, opens_at=-1.0).ask_at(MANY, 0.0, 1.0) == math.inf


def test_no_more_is_asked_for_than_the_demand() -> None:
    """Nothing is asked for while what is held is enough, or nearly."""
    allowance = _granted(100, opens_at=-1.0)

    assert allowance.ask_at(100, 0.0, 1.0) == math.inf
    assert allowance.ask_at(110, 0.0, 1.0) == math.inf
    _take(allowance, 91)
    assert allowance.ask_at(19, 0.0, 1.0) <= 0.0
    assert allowance.ask(19, 1.0).most == 10


def test_one_request_is_under_way_at_a_time() -> None:
    """The next request waits for the answer."""
    allowance = _begun()
    allowance.ask(MANY, 1.0)

    assert allowance.is_asking
    assert allowance.ask_at(MANY, 0.0, 1.0) == math.inf


def test_wait_is_until_the_next_granted_post() -> None:
    """The wait is exact; it is infinite without a grant."""
    allowance = _granted(2, opens_at=1.0)

    assert allowance.wait_seconds(0.75) == pytest.approx(0.25, abs=1e-5)
    assert allowance.wait_seconds(1.0) == 0.0
    _take(allowance, 2, 2.0)
    assert allowance.wait_seconds(2.0) == math.inf


def test_posts_that_open_one_by_one_go_in_batches() -> None:
    """Waking up for each post costs more than posting it; the last posts need no full batch."""
    allowance = _granted(10, opens_at=1.0)

    taken = [allowance.take(9, 9, 1.0 + place * STEP, 1.0, batch=4.0) for place in range(10)]

    assert taken == [0, 0, 0, 4, 0, 0, 0, 4, 0, 2]


def test_wait_is_for_a_batch_or_the_last_post() -> None:
    """The sooner of the two ends it."""
    waits = [_granted(posts, opens_at=1.0).wait_seconds(1.0, batch=4.0) for posts in (10, 2, 1)]

    assert waits == pytest.approx([3 * STEP, STEP, 0.0])


def test_worker_that_was_held_up_has_no_head_start_for_a_while() -> None:
    """The budget is used up: a worker with many small broadcasts must wait for it, too."""
    allowance = _granted(10, opens_at=0.2)
    _take(allowance, 10, 0.3)
    allowance.begin(0.3)
    soon = _take(allowance, 10, 0.3)
    allowance.begin(FRESH_SECONDS)

    assert (soon, _take(allowance, 10, FRESH_SECONDS)) == (0, 10)


def test_worker_with_uncharged_posts_has_no_other_head_start() -> None:
    """A worker never owes more than one head start."""
    allowance = _begun()
    _take(allowance, 50)
    allowance.begin(0.001)

    assert _take(allowance, 50, 0.001) == 0


def test_refused_worker_goes_on_at_a_small_rate() -> None:
    """A row that cannot be reached stops no worker."""
    allowance = _begun()
    rate = LOCAL_SHARE * PACE.posts_per_second

    posted = 0
    for turn in range(100):
        now = turn * LOCAL_SECONDS / 20
        if allowance.ask_at(MANY, now, 1.0) <= now:
            allowance.ask(MANY, 1.0)
            allowance.refuse(now)
        posted += _take(allowance, MANY, now)

    assert posted == pytest.approx(rate * 5 * LOCAL_SECONDS, rel=0.05)


def test_refused_worker_owes_nothing() -> None:
    """Its uncharged posts count against its own rate instead."""
    allowance = _begun()
    _take(allowance, HEAD_START)
    allowance.ask(200, 1.0)

    allowance.refuse(0.0)

    assert allowance.uncharged == 0
    assert _take(allowance, 200, 0.1) == 0
    assert _take(allowance, 200, 0.2) == 81 - HEAD_START


@pytest.mark.parametrize(
    ("posts_per_second", "workers"),
    [(8_000.0, 1), (8_000.0, 5), (8_000.0, 50), (8_000.0, 1_000), (200.0, 5), (10.0, 50)],
)
@pytest.mark.parametrize("demand", [20, MANY])
def test_refused_workers_share_a_small_part_of_the_rate(
    posts_per_second: float, workers: int, demand: int
) -> None:
    """Each takes its share, one post per second at least; being refused often adds no posts.

    The same is true for one big broadcast and for a small one every quarter of a second.
    """
    pace = Pace(posts_per_second, burst=4_000.0)
    allowance = Allowance(pace, workers=workers)
    share = max(1.0, LOCAL_SHARE * posts_per_second / workers)
    _refuse(allowance, 0.0)
    posted = refused = 0

    for turn in range(1, 4_001):
        now = turn / 400
        if demand == 20 and turn % 100 == 0:
            allowance.begin(now)
        if allowance.ask_at(demand, now, 1.0) <= now:
            _refuse(allowance, now)
            refused += 1
        posted += allowance.take(20, demand, now, 1.0, batch=40.0)

    assert 0.85 * share * 10 - 2 <= posted <= share * 10 + 2
    assert refused <= 12


def _refuse(allowance: Allowance, now: float) -> None:
    allowance.ask(MANY, 1.0)
    allowance.refuse(now)


def test_worker_that_was_refused_has_no_head_start_until_it_is_granted_posts() -> None:
    """Otherwise small broadcasts would exceed any rate while the row cannot be reached."""
    allowance = _begun()
    _refuse(allowance, 0.0)
    allowance.begin(10.0)
    alone = _take(allowance, 20, 10.0)
    allowance.ask(20, 1.0)
    allowance.receive(20, opens_at=10.0, seconds_per_post=STEP, now=10.0)
    allowance.begin(11.0)

    assert (alone, _take(allowance, 20, 11.0)) == (0, 20)


def test_grant_for_uncharged_posts_alone_lets_no_more_go() -> None:
    """All its posts have gone before."""
    allowance = _begun()
    _take(allowance, 5)
    asked = allowance.ask(0, 1.0)
    allowance.receive(5, opens_at=-1.0, seconds_per_post=STEP, now=0.0)

    assert asked == Ask(5, 0, is_small=True)
    assert _take(allowance, 300) == HEAD_START - 5
