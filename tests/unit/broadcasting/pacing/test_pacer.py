"""How fast posts are admitted; the tests set the time."""

from collections import deque
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broadcasting.pacing.allowance import Allowance
from broadcasting.pacing.pace import Pace
from broadcasting.pacing.pacer import FEWEST_ANSWERS, TOLERATED_SHARE, WINDOW_SECONDS, Pacer

ENOUGH = settings(max_examples=200, deadline=None)
PACE = Pace(posts_per_second=1000.0, burst=50.0)
MANY = 1_000_000
ENOUGH_ANSWERS = 10 * FEWEST_ANSWERS
WINDOW = 0.125
"""A little longer than the pacer's own, and exact in floating point."""


def _observe(pacer: Pacer, *shares: float, start: float = 0.0) -> list[float]:
    """Give a pacer a share of 429 in each window; return its rate after each."""
    rates = []
    for n, share in enumerate(shares, start=1):
        throttled = round(share * ENOUGH_ANSWERS)
        pacer.observe(ENOUGH_ANSWERS, throttled, start + n * WINDOW)
        rates.append(pacer.posts_per_second)
    return rates


def test_pacer_admits_the_burst_at_once_and_then_the_rate() -> None:
    """A full bucket, then one post each millisecond, half a burst at a time."""
    pacer = Pacer(PACE, now=5.0)

    admitted = [pacer.admit(MANY, now) for now in (5.0, 5.0, 5.0249, 5.0251, 5.0621)]

    assert admitted == [50, 0, 0, 25, 37]


def test_pacer_admits_batches_worth_a_twentieth_of_a_second() -> None:
    """Each time that a worker wakes up costs more than a post."""
    pacer = Pacer(Pace(posts_per_second=10_000.0, burst=5_000.0), now=0.0)
    pacer.admit(MANY, 0.0)

    assert pacer.wait_seconds() == 0.05
    assert [pacer.admit(MANY, now) for now in (0.0499, 0.0501)] == [0, 501]


@pytest.mark.parametrize("burst", [2.0, 100.0, 500.0, 5_000.0])
def test_pacer_loses_nothing_when_a_worker_wakes_up_late(burst: float) -> None:
    """However small the burst is, the bucket is not full before it is asked again."""
    pacer, now, admitted = Pacer(Pace(posts_per_second=1_000.0, burst=burst), now=0.0), 0.0, 0
    while now < 10.0:
        admitted += pacer.admit(MANY, now)
        now += pacer.wait_seconds() + 0.0005

    assert admitted >= 10_000.0 - 50.0


def test_pacer_limits_while_posts_wait_for_it() -> None:
    """It does not limit at once, nor after a time in which all wanted posts could go."""
    pacer = Pacer(PACE, now=0.0)
    limits = []

    for step in range(20):
        pacer.admit(MANY if step < 10 else 1, step * 0.1)
        limits.append(pacer.is_limiting)

    assert limits == [False, False, *[True] * 15, *[False] * 3]


def test_pacer_limits_a_worker_that_posts_as_fast_as_the_pace_from_the_burst() -> None:
    """The burst is soon over: then other workers could only wait, too."""
    fast, slow = (Pacer(Pace(1_000.0, 10_000.0), now=0.0) for _ in range(2))

    for step in range(100):
        fast.admit(12, step * 0.01)
        slow.admit(8, step * 0.01)

    assert (fast.is_limiting, slow.is_limiting) == (True, False)


def test_pacer_does_not_limit_while_the_budget_cannot_be_reached() -> None:
    """Each worker has a small rate of its own then, so more workers are faster."""
    allowance = Allowance(PACE)
    pacer = Pacer(PACE, 0.0, allowance)
    allowance.begin(0.0)
    limits = []

    for step in range(10):
        pacer.admit(MANY, step * 0.1)
        if step == 5:
            allowance.ask(MANY, 1.0)
            allowance.refuse(step * 0.1)
        limits.append(pacer.is_limiting)

    assert limits == [False, False, True, True, True, *[False] * 5]
    allowance.receive(10, opens_at=1.0, seconds_per_post=0.001, now=1.0)
    assert pacer.is_limiting


def test_pacer_that_never_holds_up_a_post_does_not_limit() -> None:
    """The number of posts that go does not matter."""
    pacer = Pacer(PACE, now=0.0)

    assert [pacer.admit(50, step * 0.1) for step in range(20)] == [50] * 20
    assert not pacer.is_limiting


def test_pacer_admits_less_than_a_batch_when_no_more_is_wanted() -> None:
    """The last posts of a broadcast do not wait for a batch."""
    pacer = Pacer(PACE, now=0.0)
    pacer.admit(48, 0.0)

    admitted = [pacer.admit(2, 0.0), pacer.admit(3, 0.0)]
    wait_seconds = pacer.wait_seconds(3)

    assert admitted == [2, 0]
    assert wait_seconds == 0.003
    assert pacer.admit(3, wait_seconds) == 3


def test_pacer_fills_its_bucket_no_further_than_the_burst() -> None:
    """An idle time earns a burst, and no more."""
    pacer = Pacer(PACE, now=0.0)
    pacer.admit(MANY, 0.0)

    assert pacer.admit(MANY, 3_600.0) == 50


def test_pacer_admits_no_more_than_wanted() -> None:
    """Posts that are not wanted stay in the bucket."""
    pacer = Pacer(PACE, now=0.0)

    admitted = [pacer.admit(wanted, 0.0) for wanted in (0, 7, MANY)]

    assert admitted == [0, 7, 43]


def test_pacer_takes_back_what_was_not_posted() -> None:
    """Another thread may have taken the connections."""
    pacer = Pacer(PACE, now=0.0)
    pacer.admit(50, 0.0)

    pacer.give_back(27)

    assert pacer.admit(MANY, 0.0) == 27


def test_pacer_keeps_no_more_than_the_burst_of_what_it_takes_back() -> None:
    """No more than a burst goes at once, whatever was given back."""
    pacer = Pacer(PACE, now=0.0)

    pacer.admit(50, 0.0)
    pacer.give_back(50)

    assert pacer.admit(MANY, 10.0) == 50


def test_pacer_says_how_long_to_wait_for_the_next_post() -> None:
    """The wait is exact: a post is admitted after it, and not just before."""
    pacer = Pacer(Pace(4.0, 1.0), now=0.0)
    at_first = pacer.wait_seconds()
    pacer.admit(1, 0.0)

    wait_seconds = pacer.wait_seconds()

    assert (at_first, wait_seconds) == (0.0, 0.25)
    assert pacer.admit(1, 0.2499) == 0
    assert pacer.admit(1, wait_seconds) == 1


def test_pacer_is_not_confused_by_a_time_that_goes_back() -> None:
    """Two threads may read the clock in one order and ask in the other."""
    pacer = Pacer(PACE, now=10.0)
    pacer.admit(50, 10.0)

    assert pacer.admit(MANY, 9.0) == 0


@ENOUGH
@given(
    posts_per_second=st.floats(0.5, 20_000),
    burst=st.floats(1, 5_000),
    steps=st.lists(
        st.tuples(st.floats(0, 2), st.integers(0, 6_000), st.integers(0, 50), st.booleans()),
        max_size=40,
    ),
)
def test_pacer_never_admits_more_than_rate_and_burst(
    posts_per_second: float, burst: float, steps: list[tuple[float, int, int, bool]]
) -> None:
    """It holds for any requests and any answers, from the start on; the rate has its limits."""
    pacer, now, admitted = Pacer(Pace(posts_per_second, burst), now=0.0), 0.0, 0
    for seconds, wanted, throttled, is_answered in steps:
        now += seconds
        admitted += pacer.admit(wanted, now)
        if is_answered:
            pacer.observe(50, throttled, now)

        assert admitted <= burst + now * posts_per_second + 1e-6 * (1 + admitted)
        assert 0.05 * posts_per_second <= pacer.posts_per_second <= posts_per_second


def test_pacer_slows_down_to_what_got_through() -> None:
    """A share of 429 means that the quota is used up."""
    pacer = Pacer(PACE, now=0.0)

    (rate,) = _observe(pacer, 0.25)

    assert rate == 750.0


def test_pacer_spares_its_burst_when_it_slows_down() -> None:
    """The account's bucket is empty then: ours is as well."""
    pacer = Pacer(PACE, now=0.0)
    _observe(pacer, 0.5)

    assert pacer.admit(MANY, WINDOW) == 0
    assert pacer.admit(1, WINDOW) == 1


def test_pacer_earns_what_the_rate_before_was_worth_until_it_slows_down() -> None:
    """A judgement holds from its own moment on."""
    pacer = Pacer(PACE, now=0.0)
    pacer.admit(50, 0.0)
    _observe(pacer, 0.5)
    pacer.admit(1, WINDOW)

    assert pacer.admit(MANY, WINDOW + 0.0625) == 31


@pytest.mark.parametrize("share", [0.0, 0.01, TOLERATED_SHARE])
def test_pacer_does_not_slow_down_on_a_small_share(share: float) -> None:
    """Some clients' own buffers are always full."""
    assert _observe(Pacer(PACE, now=0.0), share) == [1000.0]


def test_pacer_does_not_slow_down_on_few_answers() -> None:
    """A few slow clients are no share, even if every one of few posts goes to them."""
    pacer = Pacer(PACE, now=0.0)

    pacer.observe(FEWEST_ANSWERS - 1, FEWEST_ANSWERS - 1, 10 * WINDOW_SECONDS)

    assert pacer.posts_per_second == 1000.0


def test_pacer_does_not_judge_before_a_window_is_over() -> None:
    """The answers of one moment say little; they are judged with the next ones."""
    pacer = Pacer(PACE, now=0.0)
    pacer.observe(100, 100, 0.5 * WINDOW_SECONDS)
    before = pacer.posts_per_second

    pacer.observe(100, 0, WINDOW_SECONDS)

    assert (before, pacer.posts_per_second) == (1000.0, 500.0)


def test_pacer_judges_each_answer_once() -> None:
    """After a judgement the count begins anew."""
    pacer = Pacer(PACE, now=0.0)
    _observe(pacer, 0.5)

    pacer.observe(FEWEST_ANSWERS - 1, 0, 2 * WINDOW)

    assert pacer.posts_per_second == 500.0


def test_pacer_recovers_step_by_step() -> None:
    """Each good window adds a fiftieth of the full rate, up to the full rate."""
    pacer = Pacer(PACE, now=0.0)
    _observe(pacer, 0.07)

    rates = _observe(pacer, *[0.0] * 5, start=WINDOW)

    assert rates == pytest.approx([950.0, 970.0, 990.0, 1000.0, 1000.0])


@pytest.mark.parametrize("share", [0.06, 0.10, 0.15])
def test_pacer_recovers_when_slowing_down_does_not_lower_the_share(share: float) -> None:
    """It is the buffers of clients that are full: other clients need not wait for those."""
    pacer = Pacer(PACE, now=0.0)

    rates = _observe(pacer, *[share] * 40)

    assert min(rates) >= 400.0
    assert rates[-1] == 1000.0


def test_pacer_slows_down_again_when_a_lasting_share_grows() -> None:
    """Throttled posts beyond those to clients with full buffers come from the quota."""
    pacer = Pacer(PACE, now=0.0)
    _observe(pacer, *[0.10] * 40)

    (rate,) = _observe(pacer, 0.30, start=40 * WINDOW)

    assert rate == 700.0


def test_pacer_never_stops() -> None:
    """After any number of 429 one post in twenty still goes, to learn when the quota is free."""
    pacer = Pacer(PACE, now=0.0)

    rates = _observe(pacer, *[1.0] * 5)

    assert rates == [50.0] * 5


@dataclass
class Account:
    """The quota of an AWS account, as a token bucket that another tenant uses, too."""

    posts_per_second: float
    burst: float
    other_per_second: float
    tokens: float = field(init=False)

    def __post_init__(self) -> None:
        self.tokens = self.burst

    def pass_time(self, seconds: float) -> None:
        """Refill, and let the other tenant take its part."""
        self.tokens = min(self.burst, self.tokens + seconds * self.posts_per_second)
        self.tokens = max(0.0, self.tokens - seconds * self.other_per_second)

    def takes(self) -> bool:
        """Tell whether a post gets through."""
        if self.tokens < 1.0:
            return False
        self.tokens -= 1.0
        return True


@dataclass
class Receipt:
    """What came of the posts after the pacer has settled."""

    delivered: int = 0
    throttled: int = 0


def _simulate(pacer: Pacer, account: Account, *, seconds: float, settled_at: float) -> Receipt:
    """Post what the pacer admits. Answers take 20 ms; throttled posts are tried again later."""
    step, answer_steps, retry_steps = 0.001, 20, 400
    answers: deque[list[bool]] = deque([[]] * answer_steps)
    retries: deque[int] = deque([0] * retry_steps)
    counts, again = Receipt(), 0
    for n in range(int(seconds / step)):
        now = n * step
        account.pass_time(step)
        again += retries.popleft()
        sent = [(turn >= again, account.takes()) for turn in range(pacer.admit(500, now))]
        again = max(0, again - len(sent))
        retries.append(sum(not is_taken for _, is_taken in sent))
        answers.append([is_taken for is_first, is_taken in sent if is_first or is_taken])
        batch = answers.popleft()
        pacer.observe(len(batch), batch.count(False), now)
        if now >= settled_at:
            counts.delivered += sum(is_taken for _, is_taken in sent)
            counts.throttled += sum(not is_taken for _, is_taken in sent)
    return counts


@pytest.mark.parametrize(
    ("other_share", "throttled_share"),
    [(0.0, 0.01), (1 / 3, 0.05), (0.6, 0.08)],
)
def test_pacer_shares_a_quota_with_another_tenant(
    other_share: float, throttled_share: float
) -> None:
    """The remainder of the quota is used well, and few posts are answered 429."""
    quota = 10_000.0
    account = Account(quota, 5_000.0, other_per_second=other_share * quota)
    pacer = Pacer(Pace(quota, 5_000.0), now=0.0)

    counts = _simulate(pacer, account, seconds=20.0, settled_at=5.0)

    available = 15.0 * (1 - other_share) * quota
    assert counts.delivered >= 0.85 * available
    assert counts.throttled <= throttled_share * (counts.delivered + counts.throttled)


def test_pacer_uses_the_quota_again_when_the_other_tenant_has_gone() -> None:
    """It recovers within a few seconds."""
    quota = 10_000.0
    account = Account(quota, 5_000.0, other_per_second=0.8 * quota)
    pacer = Pacer(Pace(quota, 5_000.0), now=0.0)
    _simulate(pacer, account, seconds=5.0, settled_at=0.0)
    slow = pacer.posts_per_second
    account.other_per_second = 0.0

    for n in range(1, 51):
        pacer.observe(ENOUGH_ANSWERS, 0, 5.0 + n * WINDOW)

    assert slow < 0.5 * quota
    assert pacer.posts_per_second == quota


def _with_grant(posts: int, *, opens_at: float = -1.0, seconds_per_post: float = 0.001) -> Pacer:
    """Return the pacer of a worker that holds a number of granted posts."""
    allowance = Allowance(PACE)
    allowance.begin(0.0)
    allowance.ask(MANY, 1.0)
    allowance.receive(posts, opens_at=opens_at, seconds_per_post=seconds_per_post, now=0.0)
    return Pacer(PACE, 0.0, allowance)


def test_pacer_admits_what_is_granted() -> None:
    """Its own bucket holds more."""
    pacer = _with_grant(30)

    assert [pacer.admit(20, 0.0), pacer.admit(20, 0.0)] == [20, 10]
    assert pacer.wait_seconds() == float("inf")


def test_pacer_admits_no_more_than_its_own_rate_of_what_is_granted() -> None:
    """A worker never exceeds the rate and the burst by itself."""
    pacer = _with_grant(100)

    assert pacer.admit(MANY, 0.0) == 50
    assert pacer.wait_seconds() == 0.025


def test_pacer_gives_back_granted_posts_too() -> None:
    """Another thread may have taken the connections."""
    pacer = _with_grant(30)
    pacer.admit(30, 0.0)

    pacer.give_back(28)

    assert pacer.admit(MANY, 0.0) == 28


def test_pacer_that_has_slowed_down_uses_a_part_of_what_is_granted() -> None:
    """The other part is lost. All workers see one share of 429, so they all use the same part."""
    pacer = _with_grant(30)
    _observe(pacer, 0.5)

    assert pacer.cost == 2.0
    assert pacer.admit(MANY, 3 * WINDOW) == 15


def test_pacer_that_has_slowed_down_never_says_that_posts_may_go_which_may_not() -> None:
    """Three posts cost six granted ones, which open one after another."""
    pacer = _with_grant(20, opens_at=0.0, seconds_per_post=0.01)
    _observe(pacer, 0.5)
    now, admitted, in_vain = WINDOW, 0, 0

    while pacer.wait_seconds(3) < float("inf") and in_vain < 9:
        posts = pacer.admit(3, now)
        in_vain += not posts
        admitted += posts
        now += pacer.wait_seconds(3)

    assert (admitted, pacer.cost) == (10, 2.0)
    assert in_vain <= 2


def test_pacer_asks_when_its_allowance_does() -> None:
    """A pacer without an allowance never asks."""
    assert _with_grant(0).ask_at(MANY, 0.0) == 0.0
    assert Pacer(PACE, 0.0).ask_at(MANY, 0.0) == float("inf")
