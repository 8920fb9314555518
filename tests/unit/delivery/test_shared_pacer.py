"""What a worker may post after a freeze, with a budget that answers at once."""

from collections.abc import Callable, Iterator
from threading import Semaphore

import pytest

from broadcasting.pacing.budget import Ask, BudgetError, Grant
from broadcasting.pacing.pace import Pace
from broadcasting.pacing.pacer import BATCH_SECONDS
from delivery.shared_pacer import SharedPacer, make_pacer
from testbed.model.fakes import FakeTime

PACE = Pace(posts_per_second=8_000.0, burst=4_000.0)
SOON = 5.0
"""A test waits at most this long for a thread, which is there much sooner, or never."""


class _Budget:
    """Grants all posts that are wanted, at once; fails when it is broken."""

    def __init__(self, time: FakeTime) -> None:
        self._time = time
        self.asks: list[Ask] = []
        self.is_broken = False
        self.opens_in_ms = -10_000.0
        self.meanwhile: Callable[[], None] = lambda: None

    def reserve(self, ask: Ask) -> Grant:
        """Reserve posts; something may happen meanwhile."""
        self.asks.append(ask)
        if self.is_broken:
            raise BudgetError("injected")
        grant = Grant(ask.uncharged + ask.most, self._time.epoch_ms + self.opens_in_ms, 0.125)
        self.meanwhile()
        return grant


class _Worker:
    """A worker's pacer; the test sets the time."""

    def __init__(self, workers: int = 1) -> None:
        self.time = FakeTime()
        self.budget = _Budget(self.time)
        self.warnings: list[Exception] = []
        self.woken = Semaphore(0)
        self.pacer: SharedPacer = make_pacer(
            PACE, self.time.clock, self.budget, self.warnings.append, workers=workers
        )

    def begin(self, waiting: int) -> None:
        """Begin a broadcast for which a number of connections wait."""
        self.pacer.begin(lambda: waiting, self.woken.release)

    def admit(self, wanted: int) -> int:
        """Post what may go of the wanted posts."""
        admitted = self.pacer.admit(wanted)
        self.pacer.started(admitted, admitted)
        return admitted


@pytest.fixture
def worker() -> Iterator[_Worker]:
    """Return a worker whose thread ends with the test."""
    worker = _Worker()
    yield worker
    worker.pacer.close()


def _post_some_of_a_grant(worker: _Worker) -> None:
    """Take 1,000 of 3,000 granted posts, and end."""
    worker.begin(3_000)
    assert worker.woken.acquire(timeout=SOON)
    assert worker.admit(1_000) == 1_000
    worker.pacer.end()


@pytest.mark.parametrize(("frozen_seconds", "remaining"), [(0.0, 2_000), (0.4, 2_000), (0.5, 0)])
def test_pacer_drops_what_was_granted_before_a_freeze(
    worker: _Worker, frozen_seconds: float, remaining: int
) -> None:
    """Other workers have posted in its place; after a short freeze it is still fresh."""
    _post_some_of_a_grant(worker)
    worker.time.freeze(frozen_seconds)
    worker.begin(0)

    assert worker.pacer.admit(2_000) == remaining


@pytest.mark.parametrize("broadcasts", [1, 3])
def test_pacer_has_a_full_bucket_after_a_freeze(broadcasts: int) -> None:
    """The bucket fills within an hour, though only the epoch clock tells of it."""
    time = FakeTime()
    pacer = make_pacer(PACE, time.clock, None, _fail)
    admitted = []

    for _ in range(broadcasts):
        pacer.begin(lambda: 3_000, lambda: None)
        admitted.append(pacer.admit(4_000))
        pacer.started(4_000, admitted[-1])
        pacer.end()
        time.freeze(3_600.0)

    assert admitted == [4_000] * broadcasts


def test_pacer_has_an_empty_bucket_when_it_was_not_frozen() -> None:
    """A clock that is set back fills it no more than one that stands still."""
    time = FakeTime()
    pacer = make_pacer(PACE, time.clock, None, _fail)
    pacer.admit(4_000)
    time.freeze(-3_600.0)
    pacer.begin(lambda: 3_000, lambda: None)

    assert pacer.admit(4_000) == 0


def test_pacer_that_was_held_up_has_its_head_start_again_after_a_freeze(worker: _Worker) -> None:
    """The queue that held it up is over by then."""
    worker.budget.opens_in_ms = 200.0
    worker.begin(3_000)
    assert worker.woken.acquire(timeout=SOON)
    worker.pacer.end()
    worker.begin(20)
    held_up = worker.admit(20)
    worker.pacer.end()
    worker.time.freeze(60.0)
    worker.begin(20)

    assert (held_up, worker.admit(20)) == (0, 20)


def test_pacer_drops_what_was_being_reserved_in_a_freeze(worker: _Worker) -> None:
    """The answer comes when the next broadcast has begun, so the asker asks anew."""

    def freeze() -> None:
        worker.budget.meanwhile = lambda: None
        worker.time.freeze(3_600.0)
        worker.begin(3_000)

    worker.budget.meanwhile = freeze
    worker.begin(3_000)
    assert worker.woken.acquire(timeout=SOON)
    stale = worker.admit(1_000)
    assert worker.woken.acquire(timeout=SOON)

    assert (stale, worker.admit(1_000), len(worker.budget.asks)) == (0, 1_000, 2)


def test_pacer_posts_when_the_clock_is_set_back_while_it_reserves(worker: _Worker) -> None:
    """It does not wait until the clock shows the earlier time again."""
    worker.budget.meanwhile = lambda: worker.time.freeze(-3_600.0)
    worker.begin(3_000)
    assert worker.woken.acquire(timeout=SOON)

    assert worker.admit(1_000) == 1_000


def test_pacer_posts_its_share_when_the_budget_fails() -> None:
    """One of 50 workers posts a fiftieth of 5 % of the rate."""
    worker = _Worker(workers=50)
    worker.budget.is_broken = True
    worker.begin(3_000)
    assert worker.woken.acquire(timeout=SOON)
    admitted = []
    for _ in range(16):
        admitted.append(worker.admit(100))
        worker.time.run(1 / 16)
    worker.pacer.close()

    assert sum(admitted) == 8
    assert len(worker.warnings) >= 1


def test_pacer_without_a_budget_limits_and_slows_down() -> None:
    """It has only its own pace, which posts wait for, and the share of 429."""
    time = FakeTime()
    pacer = make_pacer(PACE, time.clock, None, _fail)
    admitted = []
    for _ in range(10):
        time.run(0.1)
        admitted.append(pacer.admit(4_000))
    pacer.observe(200, 100)
    time.run(0.1)
    admitted.append(pacer.admit(4_000))

    assert pacer.is_limiting
    assert admitted[-2:] == [800, 400]
    assert 0.0 < pacer.wait_seconds() <= BATCH_SECONDS


def _fail(error: Exception) -> None:
    raise error
