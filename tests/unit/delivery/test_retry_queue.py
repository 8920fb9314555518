"""Posts that wait for their next try."""

from hypothesis import given, settings
from hypothesis import strategies as st

from broadcasting.connection import Connection
from delivery.post import Post
from delivery.retry_queue import RetryQueue

LATEST = 100.0


def _post(name: str) -> Post:
    return Post(Connection(name, 0))


def _queue(**due_at: float) -> RetryQueue:
    queue = RetryQueue()
    for name, at in due_at.items():
        queue.add(_post(name), at)
    return queue


def _take_due(queue: RetryQueue, now: float) -> list[str]:
    taken = []
    while queue.is_due(now):
        taken.append(queue.take().connection.id)
    return taken


def test_queue_gives_the_earliest_first() -> None:
    """Those that are due, no others."""
    queue = _queue(c=3.0, a=1.0, d=4.0, b=2.0)

    assert _take_due(queue, 0.5) == []
    assert _take_due(queue, 3.0) == ["a", "b", "c"]
    assert len(queue) == 1


def test_queue_tells_how_many_are_due() -> None:
    """As of when it was looked at last: another thread asks for posts by it."""
    queue = _queue(a=1.0, b=2.0, c=3.0)
    before = queue.due
    queue.is_due(2.0)
    looked = queue.due
    queue.take()

    assert (before, looked, queue.due) == (0, 2, 1)


def test_queue_gives_one_that_is_due_earlier_though_it_came_later() -> None:
    """Those that are known to be due have their order, too."""
    queue = _queue(b=2.0, c=3.0)
    queue.is_due(3.0)
    queue.add(_post("a"), 1.0)

    assert _take_due(queue, 3.0) == ["a", "b", "c"]


def test_queue_does_not_give_what_is_due_later_than_asked_for() -> None:
    """Posts that have just become due may have to wait for posts that have not been tried."""
    queue = _queue(a=1.0, b=2.0)
    queue.is_due(2.0)

    assert _take_due(queue, 1.5) == ["a"]
    assert queue.due == 1


def test_queue_tells_when_the_next_one_is_due() -> None:
    """Whether it has become due already or not; the latest when that is sooner or none waits."""
    queue = _queue(a=1.0, b=2.0)
    first = queue.due_at(LATEST)
    queue.is_due(1.0)

    assert (first, queue.due_at(LATEST), queue.due_at(0.5)) == (1.0, 1.0, 0.5)
    assert _take_due(queue, 2.0) == ["a", "b"]
    assert queue.due_at(LATEST) == LATEST


def test_queue_shows_all_that_wait() -> None:
    """Due or not."""
    queue = _queue(a=1.0, b=2.0)
    queue.is_due(1.0)

    assert {post.connection.id for post in queue} == {"a", "b"}


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(("add", "look", "take")), st.integers(0, 20)), max_size=50)
)
def test_queue_is_a_sorted_list(steps: list[tuple[str, int]]) -> None:
    """Whatever is added, looked at and taken in which order."""
    queue, model = RetryQueue(), list[int]()

    for step, at in steps:
        if step == "add":
            queue.add(_post(str(at)), at)
            model = sorted([*model, at])
        elif step == "take" and model and model[0] <= at:
            assert queue.is_due(at)
            assert queue.take().connection.id == str(model.pop(0))
        else:
            assert queue.is_due(at) is any(one <= at for one in model)
        assert len(queue) == len(model) == len(list(queue))
        assert queue.due_at(LATEST) == min([LATEST, *model])
