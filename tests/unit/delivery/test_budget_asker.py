"""The thread that asks the shared budget, with a budget that answers when the test says so."""

import math
import queue
import threading
import time
from collections.abc import Iterator
from threading import Condition, Thread

import pytest

from broadcasting.clock import Clock
from broadcasting.pacing.allowance import Allowance
from broadcasting.pacing.budget import Ask, BudgetError, Grant
from broadcasting.pacing.pace import Pace
from broadcasting.pacing.pacer import Pacer
from delivery.budget_asker import PAUSE_SECONDS, BudgetAsker
from delivery.lasting_time import LastingTime
from delivery.shared_pacer import SharedPacer

SOON = 5.0
"""A test waits at most this long for a thread, which is there much sooner, or never."""

PACE = Pace(posts_per_second=8_000.0, burst=4_000.0)
CLOCK = Clock(time.monotonic, lambda: int(time.time() * 1000), time.sleep)


class HandBudget:
    """Hands each ask to the test, and waits for its answer."""

    def __init__(self) -> None:
        self.asks: queue.Queue[Ask] = queue.Queue()
        self.answers: queue.Queue[Grant | Exception] = queue.Queue()

    def reserve(self, ask: Ask) -> Grant:
        """Reserve what the test grants."""
        self.asks.put(ask)
        answer = self.answers.get(timeout=SOON)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def grant(self, posts: int) -> None:
        """Answer the ask that waits, or the next one: all its posts may go at once."""
        self.answers.put(Grant(posts, CLOCK.epoch_ms() - 10_000.0, 0.125))


class Bench:
    """An asker with its pacer, and what it did."""

    def __init__(self, clock: Clock = CLOCK) -> None:
        self.budget = HandBudget()
        self.warnings: list[Exception] = []
        self.woken = threading.Semaphore(0)
        self.waiting = 0
        time = LastingTime(clock)
        allowance, condition = Allowance(PACE), Condition()
        pacer = Pacer(PACE, time.seconds(), allowance)
        self.asker = BudgetAsker(
            pacer,
            allowance,
            self.budget,
            time=time,
            condition=condition,
            warn=self.warnings.append,
        )
        self.pacer = SharedPacer(pacer, time, condition=condition, asker=self.asker)

    def begin(self, waiting: int) -> None:
        """Begin a broadcast for which a number of connections wait."""
        self.waiting = waiting
        self.asker.begin(lambda: self.waiting, self.woken.release)

    def next_ask(self) -> Ask:
        """Return the next ask."""
        return self.budget.asks.get(timeout=SOON)

    def admit(self, wanted: int) -> int:
        """Take the wanted posts of those that wait, as far as they may go."""
        admitted = self.pacer.admit(wanted)
        self.waiting -= admitted
        self.pacer.started(admitted, admitted)
        return admitted


@pytest.fixture
def bench() -> Iterator[Bench]:
    """Return an asker whose thread ends with the test."""
    bench = Bench()
    yield bench
    bench.budget.grant(1)  # in case that it still asks
    bench.asker.close()


def test_asker_asks_for_a_big_broadcast_before_anything_is_posted(bench: Bench) -> None:
    """It asks at once, for all posts that wait."""
    bench.begin(3_000)

    assert bench.next_ask() == Ask(uncharged=0, most=3_000, is_small=False)
    bench.budget.grant(3_000)
    assert bench.woken.acquire(timeout=SOON)
    assert bench.admit(512) == 512
    assert bench.budget.asks.empty()


def test_asker_charges_a_small_broadcast_in_one_request(bench: Bench) -> None:
    """Its posts have gone before the request."""
    bench.begin(0)
    bench.waiting = 12
    admitted = bench.admit(12)

    assert (admitted, bench.next_ask()) == (12, Ask(uncharged=12, most=0, is_small=True))
    bench.budget.grant(12)
    bench.asker.end()
    assert bench.budget.asks.empty()


def test_asker_charges_at_the_end_without_lingering(bench: Bench) -> None:
    """The function may be frozen right after."""
    bench.begin(0)
    bench.waiting = 3
    bench.budget.grant(3)
    bench.admit(3)

    bench.asker.end()

    assert bench.next_ask() == Ask(uncharged=3, most=0, is_small=True)
    bench.begin(0)
    bench.waiting = 100
    assert bench.admit(100) == 62  # all is charged: there is another head start
    bench.budget.grant(100)


def test_asker_asks_again_when_few_granted_posts_remain(bench: Bench) -> None:
    """It asks for the posts that wait now."""
    bench.begin(2_000)
    bench.next_ask()
    bench.budget.grant(1_000)
    assert bench.woken.acquire(timeout=SOON)
    bench.admit(900)

    assert bench.next_ask().most == 1_000


def test_asker_warns_and_goes_on_when_the_budget_fails(bench: Bench) -> None:
    """Posts go on at a small rate, for any reason of the failure."""
    error = BudgetError("row not updated")
    bench.budget.answers.put(error)
    bench.begin(3_000)

    assert bench.woken.acquire(timeout=SOON)
    assert bench.warnings == [error]
    assert bench.pacer.wait_seconds() < 1.0


def test_asker_is_idle_when_no_post_waits(bench: Bench) -> None:
    """Nothing is asked for, and the end does not wait."""
    bench.begin(0)
    bench.asker.end()

    assert bench.budget.asks.empty()


def test_asker_begins_anew_when_its_thread_has_ended(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next broadcast is granted posts, for any reason why the thread has ended."""
    with monkeypatch.context() as broken:
        broken.setattr(Thread, "start", _cannot_start)
        with pytest.raises(RuntimeError, match="can't start new thread"):
            bench.begin(waiting=5)

    bench.begin(waiting=1_000)

    assert bench.next_ask().most == 1_000
    bench.budget.grant(1_000)


def _cannot_start(_: Thread) -> None:
    raise RuntimeError("can't start new thread")


def test_asker_goes_on_when_warning_fails(bench: Bench) -> None:
    """A failing log does not cost the message."""
    bench.asker._warn = _fail
    bench.begin(waiting=1_000)
    bench.next_ask()
    bench.budget.answers.put(BudgetError("injected"))

    assert bench.woken.acquire(timeout=SOON)
    assert bench.pacer.wait_seconds() < 1.0


def _fail(_: Exception) -> None:
    raise OSError("injected")


def test_asker_pauses_for_a_budget_that_has_granted_nothing() -> None:
    """To ask it at once, and again, would be thousands of requests a second."""
    seconds = [100.0]
    bench = Bench(Clock(lambda: seconds[0], CLOCK.epoch_ms, CLOCK.sleep))
    bench.begin(3_000)
    bench.next_ask()

    bench.budget.grant(0)
    is_woken = bench.woken.acquire(timeout=SOON)
    admitted = bench.admit(512)  # waits until the thread has nothing to do
    is_asked_at_once = not bench.budget.asks.empty()
    seconds[0] += PAUSE_SECONDS
    bench.admit(512)
    ask = bench.next_ask()
    bench.budget.grant(3_000)
    bench.asker.close()

    assert (is_woken, admitted, is_asked_at_once) == (True, 0, False)
    assert ask.most == 3_000


def test_asker_closes_without_having_begun() -> None:
    """There is no thread to wait for, and there will be none."""
    bench = Bench()
    threads = set(threading.enumerate())

    bench.asker.close()

    assert set(threading.enumerate()) == threads


def test_asker_asks_for_nothing_when_posts_that_were_not_admitted_are_given_up() -> None:
    """Posting has stopped; only the last answers are awaited."""
    bench = Bench()
    bench.begin(3_000)
    bench.next_ask()
    bench.waiting = 0
    bench.budget.grant(10)
    assert bench.woken.acquire(timeout=SOON)

    admitted = bench.pacer.admit(1_000)
    with bench.asker._condition:
        due_at = bench.asker._due_at()

    assert (admitted, due_at) == (10, math.inf)
    bench.budget.grant(1)  # in case that it still asks
    bench.asker.close()
