"""Deleting stale rows."""

from collections.abc import Sequence
from threading import Event
from typing import Any

import pytest

from broadcasting.retry import Backoff
from storage import sweeper
from storage.connections import ConnectionsTable
from storage.sweeper import StaleSweeper
from testbed.model.fakes import FakeDynamo, aws_error

PATIENCE_SECONDS = 10.0


def _sweep(dynamo: FakeDynamo, names: Sequence[str]) -> tuple[int, list[float]]:
    slept: list[float] = []
    sweeper = StaleSweeper(
        dynamo.table, jitter=lambda: 1.0, sleep=slept.append, backoff=Backoff(tries=3)
    )
    for name in names:
        sweeper.add(name)
    return sweeper.finish(PATIENCE_SECONDS), slept


@pytest.mark.parametrize(
    ("count", "sizes"), [(0, []), (1, [1]), (25, [25]), (26, [1, 25]), (60, [10, 25, 25])]
)
def test_sweeper_deletes_in_batches_of_25(count: int, sizes: list[int]) -> None:
    """All rows are deleted, the live ones stay."""
    names = [f"c{number}" for number in range(count)]
    dynamo = FakeDynamo(dict.fromkeys([*names, "live"], 1))

    kept, slept = _sweep(dynamo, names)

    assert (kept, slept, list(dynamo.rows)) == (0, [], ["live"])
    assert sorted(len(batch) for batch in dynamo.batches) == sizes


def test_sweeper_never_names_a_row_twice_in_one_batch() -> None:
    """DynamoDB would refuse the batch, and every row in it would stay."""
    names = [f"c{number}" for number in range(30)]
    dynamo = FakeDynamo(dict.fromkeys(names, 1))

    kept, slept = _sweep(dynamo, [name for name in names for _ in range(2)])

    assert (kept, slept, dynamo.rows) == (0, [], {})


def test_sweeper_leaves_rows_to_the_next_broadcast_when_too_many_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Memory stays flat when the deletes are slow; rows that stay are counted."""
    monkeypatch.setattr(sweeper, "_MOST_BATCHES", 6)
    go = Event()
    names = [f"c{number}" for number in range(25 * 20)]
    dynamo = FakeDynamo(dict.fromkeys(names, 1))
    one = StaleSweeper(_Slow(dynamo.table, go), jitter=lambda: 1.0)  # type: ignore[arg-type]

    for name in names[: 25 * 10]:
        one.add(name)
    go.set()
    while len(dynamo.batches) < 6:
        pass
    for name in names[25 * 10 :]:
        one.add(name)
    stale_rows = one.finish(PATIENCE_SECONDS)

    assert stale_rows == len(dynamo.rows)
    assert 25 * 4 <= stale_rows <= 25 * 10


class _Slow:
    """A table whose deletes wait until they are let go."""

    def __init__(self, table: ConnectionsTable, go: Event) -> None:
        self._table = table
        self._go = go

    def remove_batch(self, names: Sequence[str], *, stream: str) -> list[str]:
        assert self._go.wait(PATIENCE_SECONDS)
        return self._table.remove_batch(names, stream=stream)


def test_sweeper_tries_unprocessed_rows_again() -> None:
    """Only the unprocessed ones are tried again, after a wait that grows."""
    dynamo = FakeDynamo(dict.fromkeys("abc", 1), unprocessed=[2, 1])

    kept, slept = _sweep(dynamo, "abc")

    assert (kept, dynamo.rows) == (0, {})
    assert dynamo.batches == [["a", "b", "c"], ["a", "b"], ["a"]]
    assert slept == [0.2, 0.4]


def test_sweeper_tries_the_same_rows_again_when_the_write_fails() -> None:
    """Deleting once more what may be deleted already does no harm."""
    dynamo = FakeDynamo(dict.fromkeys("ab", 1), write_errors=[aws_error(500)])

    kept, _ = _sweep(dynamo, "ab")

    assert (kept, dynamo.rows, len(dynamo.batches)) == (0, {}, 2)


def test_sweeper_tries_again_when_it_could_not_look_whose_the_rows_are() -> None:
    """Nothing is deleted before that: a user's row would stay."""
    dynamo = FakeDynamo(dict.fromkeys("ab", 1), read_errors=[aws_error(500)])

    kept, slept = _sweep(dynamo, "ab")

    assert (kept, dynamo.rows, dynamo.batches, len(slept)) == (0, {}, [["a", "b"]], 1)


def test_sweeper_says_how_many_rows_are_left_when_it_gives_up() -> None:
    """After the last try the rows stay for the next broadcast."""
    dynamo = FakeDynamo(dict.fromkeys("ab", 1), write_errors=[aws_error(500)] * 3)

    kept, slept = _sweep(dynamo, "ab")

    assert (kept, len(dynamo.rows), len(slept)) == (2, 2, 2)


def test_sweeper_counts_the_rows_of_a_delete_that_is_late() -> None:
    """The caller waits no longer than it said."""
    release = Event()

    class Stuck(FakeDynamo):
        def batch_write_item(self, **request: Any) -> dict[str, Any]:
            release.wait(PATIENCE_SECONDS)
            return super().batch_write_item(**request)

    sweeper = StaleSweeper(Stuck().table, jitter=lambda: 0.0)
    sweeper.add("a")
    sweeper.add("b")

    kept = sweeper.finish(-1.0)
    release.set()

    assert kept == 2


@pytest.mark.parametrize("stream", ["news", "user#alice", "!", "*"])
def test_sweeper_deletes_the_row_by_which_a_broadcast_has_found_a_connection(stream: str) -> None:
    """Also when the row that says which other rows there are is gone."""
    dynamo = FakeDynamo({"a": 1, "live": 1})
    dynamo.join("news", "live")
    if stream not in ("!", "*"):
        dynamo.join(stream, "a")
    sweeper = StaleSweeper(dynamo.table, jitter=lambda: 1.0, stream=stream)

    sweeper.add("a")

    assert sweeper.finish(PATIENCE_SECONDS) == 0
    assert list(dynamo.rows) == ["live"]
    assert [key[1] for key in dynamo.others] == ["live"]
