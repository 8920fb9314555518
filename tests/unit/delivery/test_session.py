"""What the caller's thread and the posting threads hand to each other in one call of `deliver`."""

import pytest

from broadcasting.connection import Connection
from broadcasting.outcome import Outcome, Settlement
from delivery import session
from delivery.session import DeliverySession
from testbed.model.fakes import OLD_MS

FEWEST_WAITING = 2


def _make(*, threads: int = 1, ticks: list[int] | None = None) -> DeliverySession:
    ticks = [] if ticks is None else ticks
    return DeliverySession(
        threads=threads, fewest_waiting=FEWEST_WAITING, tick=lambda: ticks.append(1)
    )


def _add(one: DeliverySession, connections: int) -> None:
    for number in range(connections):
        one.add(Connection(f"c{number}", OLD_MS))


def _settlement(name: str) -> Settlement:
    return Settlement(Connection(name, OLD_MS), Outcome.DELIVERED, 1)


def test_session_asks_for_more_once_when_few_posts_wait() -> None:
    """That wakes the caller's thread, which waits for results; it may then be asked again."""
    one = _make()
    _add(one, FEWEST_WAITING + 2)

    taken = [one.take_post() for _ in range(FEWEST_WAITING + 3)]
    woken = one.has_results, one.wait_for_results(), one.has_results
    _add(one, 1)
    one.take_post()
    not_again = one.has_results
    one.begin_to_feed()
    _add(one, 1)
    one.take_post()

    names = [post.connection.id if post else None for post in taken]
    assert names == ["c0", "c1", "c2", "c3", None]
    assert woken == (True, (), False)
    assert (not_again, one.has_results) == (False, True)


def test_session_lets_the_caller_do_what_it_has_to_while_there_are_no_results(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In the caller's thread."""
    monkeypatch.setattr(session, "TICK_SECONDS", 0.001)
    ticks: list[int] = []

    results = _make(ticks=ticks).wait_for_results()

    assert (results, ticks) == ((), [1])


def test_session_is_over_when_all_threads_have_left_and_all_results_are_returned() -> None:
    """A thread returns its last results before it leaves."""
    one, batch = _make(threads=2), [_settlement("a")]

    one.leave()
    after_one = one.is_over
    one.return_results(batch)
    one.leave()
    found: list[Settlement] = []
    while not one.is_over:
        found += one.wait_for_results()

    assert not after_one
    assert found == batch


def test_session_gives_back_the_posts_that_no_thread_has_taken() -> None:
    """In the order in which they were added, each once."""
    one = _make()
    _add(one, 3)
    one.take_post()

    untaken = [post.connection.id for post in one.take_back()]

    assert (untaken, one.waiting) == (["c1", "c2"], 0)
