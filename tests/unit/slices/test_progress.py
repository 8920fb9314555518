"""One way through a slice: at every moment it is known what a crash would leave undone."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broadcasting.backlog import ALL_SHARDS, Backlog, ShardCursor
from broadcasting.connection import Connection
from broadcasting.ledger_rows import SliceRow
from broadcasting.outcome import Outcome, Settlement
from broadcasting.receipt import Receipt
from broadcasting.retry import MAX_ROUNDS
from slices.progress import SliceProgress
from slices.settlements import end_round
from storage.audience_reader import AudienceReader
from testbed.model.fakes import FAR, OLD_MS, FakeDynamo, FakeTime

NAMED = (Connection("x", OLD_MS, 1), Connection("y", OLD_MS, 2))
ALL = ALL_SHARDS.shards


def _rows(count: int) -> dict[str, int]:
    return {f"c{number:04}": OLD_MS for number in range(count)}


def _progress(
    backlog: Backlog,
    dynamo: FakeDynamo | None = None,
    counts: Receipt | None = None,
    seconds: float = 0,
) -> SliceProgress:
    slice_row = SliceRow("b", "0", backlog, counts or Receipt(len(backlog.connections)))
    dynamo = dynamo or FakeDynamo()
    clock = FakeTime(seconds).clock
    return SliceProgress(
        slice_row, AudienceReader(dynamo.pages, backlog.shards, clock=clock, deadline=FAR)
    )


def test_progress_meets_the_named_first_and_counts_those_it_reads() -> None:
    """Connections that the slice names have been counted as targeted before."""
    progress = _progress(Backlog((ShardCursor("all#3"),), NAMED), FakeDynamo({"a": OLD_MS}))

    met = list(progress)

    assert met == [*NAMED, Connection("a", OLD_MS)]
    assert progress.counts == Receipt(3)
    assert progress.backlog == Backlog((), tuple(met))


def test_progress_tells_about_how_many_are_to_come() -> None:
    """Named connections, and those of the shards; fewer with each that is met."""
    progress = _progress(Backlog((ShardCursor("all#3"),), NAMED), FakeDynamo({"a": OLD_MS}))

    hints = [progress.to_come]
    hints += [progress.to_come for _ in progress]

    assert hints == [len(NAMED), *reversed(range(len(NAMED))), 0]


def test_progress_takes_the_ends() -> None:
    """Each is counted once, on top of what was counted before; the failed are named."""
    progress = _progress(Backlog((), NAMED), counts=Receipt(5, delivered=3))
    first, second = progress

    progress.settle(Settlement(first, Outcome.DELIVERED, 2, throttles=1))
    progress.settle(Settlement(second, Outcome.FAILED, 1, reason="413"))

    assert progress.counts == Receipt(5, delivered=4, failed=1, throttled=1)
    assert (progress.failed, progress.unsaved) == ((("y", "413"),), 2)
    assert progress.backlog.is_empty


def test_progress_forgets_what_has_been_written_down() -> None:
    """The failed are written once."""
    progress = _progress(Backlog((), NAMED))
    for connection in progress:
        progress.settle(Settlement(connection, Outcome.FAILED, 1, reason="413"))

    progress.saved()

    assert (progress.failed, progress.unsaved, progress.counts.failed) == ((), 0, 2)


def test_progress_keeps_connections_that_were_tried_in_vain() -> None:
    """With the round counted; too many of them, and it has failed."""
    last = Connection("z", OLD_MS, MAX_ROUNDS - 1)
    progress = _progress(Backlog((), (NAMED[0], last)))

    for connection in progress:
        progress.settle(Settlement(connection, Outcome.PENDING, 5, reason="429"))
    progress.end_round(counts=True)

    assert progress.stragglers == [Connection("x", OLD_MS, 2)]
    assert progress.backlog == Backlog((), (Connection("x", OLD_MS, 2),))
    assert (progress.counts, progress.failed) == (Receipt(2, failed=1), (("z", "429"),))


def test_progress_gives_stragglers_away() -> None:
    """Those given, and no other; they are targeted elsewhere."""
    progress = _progress(Backlog((), NAMED))
    for connection in progress:
        progress.settle(Settlement(connection, Outcome.PENDING, 1))
    progress.end_round(counts=True)
    first, second = progress.stragglers

    progress.give_away(Backlog((), (first,)))

    assert progress.backlog == Backlog((), (second,))
    assert progress.counts == Receipt(1)


def test_progress_gives_shards_away() -> None:
    """They are not read here any more."""
    progress = _progress(Backlog(ALL), FakeDynamo(_rows(100)))
    given_away = progress.spare

    progress.give_away(Backlog(given_away))

    assert progress.backlog == Backlog(ALL[: -len(given_away)])


@given(st.integers(0, 60), st.lists(st.sampled_from(Outcome), max_size=60), st.randoms())
def test_progress_knows_at_every_moment_what_is_pending(
    taken: int,
    outcomes: list[Outcome],
    random: Random,
) -> None:
    """Wherever it is stopped, its sums add up, and no connection is in them twice or missing."""
    dynamo = FakeDynamo(_rows(50), page_rows=2)
    progress = _progress(Backlog(ALL, NAMED), dynamo)

    under_way = [connection for connection, _ in zip(progress, range(taken), strict=False)]
    random.shuffle(under_way)
    ended = set[str]()
    for connection, outcome in zip(under_way, outcomes, strict=False):
        progress.settle(Settlement(connection, outcome, 1))
        if outcome is not Outcome.PENDING:
            ended.add(connection.id)

    backlog, counts = progress.backlog, progress.counts
    assert counts.targeted == counts.ended + len(backlog.connections)
    others = [one.id for one in _progress(backlog, dynamo)]
    assert sorted([*ended, *others]) == sorted([*dynamo.rows, "x", "y"])


def test_progress_expires_all_connections_that_have_not_ended() -> None:
    """Those under way, tried in vain, named and not taken, and not read yet."""
    progress = _progress(Backlog(ALL, NAMED), FakeDynamo(_rows(100), page_rows=3))
    first, second, third = (next(progress) for _ in range(3))
    progress.settle(Settlement(first, Outcome.DELIVERED, 1))
    progress.settle(Settlement(second, Outcome.PENDING, 1))
    assert third.id.startswith("c")

    progress.expire()

    assert progress.backlog.is_empty
    assert progress.counts == Receipt(102, delivered=1, expired=101)
    assert progress.failed == ()


def test_progress_expires_only_what_the_time_allows() -> None:
    """Past the deadline nothing is read: the next invocation goes on."""
    progress = _progress(Backlog(ALL, NAMED), FakeDynamo(_rows(9)), seconds=FAR)

    progress.expire()

    assert progress.backlog == Backlog(ALL)
    assert progress.counts == Receipt(2, expired=2)


def test_progress_counts_those_it_passes_over_and_did_not_post_to() -> None:
    """Excluded ones are not targeted; absent ones are gone, and are no answer to a post."""
    backlog = Backlog((ShardCursor("!"),))
    reader = AudienceReader(
        FakeDynamo({"a": OLD_MS, "x": OLD_MS}).pages,
        backlog.shards,
        clock=FakeTime().clock,
        deadline=FAR,
        ids=("x", "gone", "a"),
        exclude=("x",),
    )
    before = Receipt(5, gone=5, excluded=2)
    progress = SliceProgress(SliceRow("b", "0", backlog, before), reader)

    (met,) = progress
    progress.settle(Settlement(met, Outcome.DELIVERED, 1))

    assert progress.counts == Receipt(7, delivered=1, gone=6, excluded=3)
    assert progress.posted == Receipt(1, delivered=1)
    assert progress.backlog.is_empty


@pytest.mark.parametrize(
    ("rounds", "expected"),
    [
        (0, (Outcome.PENDING, 1)),
        (3, (Outcome.FAILED, 4)),
    ],
)
def test_round_ends(rounds: int, expected: tuple[Outcome, int]) -> None:
    """After the last one a connection that was tried in vain has failed."""
    ended = end_round(Settlement(Connection("a", 0, rounds), Outcome.PENDING, 1))

    assert (ended.outcome, ended.connection.rounds) == expected
