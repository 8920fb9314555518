"""Which posts start next: in which order first tries and retries go, and how probes are chosen."""

import pytest

from broadcasting.breaker import Breaker
from broadcasting.connection import Connection
from delivery.fan_out import Watch
from delivery.gate import PostGate
from delivery.next_posts import MAX_WAITING, PATIENCE_SECONDS, NextPosts
from delivery.post import Post
from delivery.retry_queue import RetryQueue
from delivery.session import DeliverySession
from testbed.model.fakes import OLD_MS

NOW = 10.0
MANY = 1_000


class Bench:
    """What one thread chooses from: `n1`, `n2` … are first tries, `r…` are retries."""

    def __init__(self, first_tries: int = 0, *, probes_from: float | None = None) -> None:
        session = DeliverySession(threads=1, fewest_waiting=0, tick=lambda: None)
        for number in range(first_tries):
            session.add(_connection(f"n{number + 1}"))
        watch = Watch(breaker=Breaker(probes_from=probes_from))
        self.retries = RetryQueue()
        self.next = NextPosts(session, PostGate(watch, deadline=100.0, now=0.0), self.retries)

    def add_retry(self, name: str, due_at: float) -> None:
        """Have a post wait for its next try."""
        self.retries.add(Post(_connection(name), tries=1), due_at)

    def take(self, most: int = MANY) -> list[str]:
        """Return the names of the posts that start next."""
        return [post.connection.id for post in self.next.take(most, NOW)]


def _connection(name: str) -> Connection:
    return Connection(name, OLD_MS)


def test_next_posts_are_first_tries_before_retries_that_can_wait() -> None:
    """What has been due for long goes before both, and what is not due does not go."""
    bench = Bench(first_tries=2)
    for name, due_at in [("r-due", NOW), ("r-late", NOW - PATIENCE_SECONDS), ("r-not", NOW + 0.1)]:
        bench.add_retry(name, due_at)

    ready, due = bench.next.ready(NOW), bench.next.retries_due

    assert (ready, due) == (4, 2)
    assert bench.take() == ["r-late", "n1", "n2", "r-due"]
    assert len(bench.retries) == 1


@pytest.mark.parametrize("most", [1, 2, 3, 4])
def test_next_posts_are_no_more_than_asked_for(most: int) -> None:
    """The others go next time, in the same order."""
    bench = Bench(first_tries=2)
    bench.add_retry("r-late", NOW - PATIENCE_SECONDS)
    bench.add_retry("r-due", NOW)

    first, then = bench.take(most), bench.take()

    assert len(first) == most
    assert first + then == ["r-late", "n1", "n2", "r-due"]


def test_next_posts_are_retries_only_while_too_many_wait() -> None:
    """Memory stays flat: there is room for a first try once a retry has gone."""
    bench = Bench(first_tries=2)
    for number in range(MAX_WAITING):
        bench.add_retry(f"r{number + 1}", NOW if not number else NOW + 1.0)

    ready = bench.next.ready(NOW)

    assert ready == 1
    assert bench.take() == ["r1", "n1", "n2"]


def test_next_posts_that_probe_are_of_both_kinds_in_turn() -> None:
    """Neither the many that are new nor the few that are in trouble of their own decide alone."""
    bench = Bench(first_tries=3, probes_from=NOW)
    for name in ("r1", "r2"):
        bench.add_retry(name, NOW)

    posts = bench.next.take(4, NOW)

    assert [post.connection.id for post in posts] == ["r1", "n1", "r2", "n2"]
    assert all(post.is_probe for post in posts)


def test_next_posts_that_probe_are_of_one_kind_when_there_is_no_other() -> None:
    """What is ready is asked for."""
    bench = Bench(first_tries=1, probes_from=NOW)

    assert [bench.take(2), bench.take(2)] == [["n1"], []]
