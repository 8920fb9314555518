"""One way through a slice: at every moment it is known what a crash would leave undone."""

from operator import length_hint
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broadcasting.audience import SHARDS, Connection
from broadcasting.counts import Counts
from broadcasting.ledger import SliceRow
from broadcasting.outcome import Outcome, Settlement
from broadcasting.retry import MAX_ROUNDS
from broadcasting.work import ShardCursor, Work
from slices.progress import Journey, end_round
from storage.audience_reader import AudienceReader
from testbed.model.fakes import FAR, OLD_MS, FakeDynamo, FakeTime

NAMED = (Connection("x", OLD_MS, 1), Connection("y", OLD_MS, 2))
ALL = tuple(ShardCursor(shard) for shard in range(SHARDS))


def _rows(count: int) -> dict[str, int]:
    return {f"c{number:04}": OLD_MS for number in range(count)}


def _journey(
    work: Work, dynamo: FakeDynamo | None = None, counts: Counts | None = None, seconds: float = 0
) -> Journey:
    piece = SliceRow("b", "0", work, counts or Counts(len(work.connections)))
    table = (dynamo or FakeDynamo()).table
    clock = FakeTime(seconds).clock
    return Journey(piece, AudienceReader(table, work.shards, clock=clock, deadline=FAR))


def test_journey_meets_the_named_first_and_counts_those_it_reads() -> None:
    """The named have been counted as targeted before."""
    journey = _journey(Work((ShardCursor(3),), NAMED), FakeDynamo({"a": OLD_MS}))

    met = list(journey)

    assert met == [*NAMED, Connection("a", OLD_MS)]
    assert journey.counts == Counts(3)
    assert journey.work == Work((), tuple(met))


def test_journey_tells_about_how_many_are_to_come() -> None:
    """The named, and those of the shards; fewer with each that is met."""
    journey = _journey(Work((ShardCursor(3),), NAMED), FakeDynamo({"a": OLD_MS}))

    hints = [length_hint(journey)]
    hints += [length_hint(journey) for _ in journey]

    assert hints == [len(NAMED), *reversed(range(len(NAMED))), 0]


def test_journey_takes_the_ends() -> None:
    """Each is counted once, on top of what was counted before; the failed are named."""
    journey = _journey(Work((), NAMED), counts=Counts(5, delivered=3))
    first, second = journey

    journey.settle(Settlement(first, Outcome.DELIVERED, 2, throttles=1))
    journey.settle(Settlement(second, Outcome.FAILED, 1, reason="413"))

    assert journey.counts == Counts(5, delivered=4, failed=1, throttled=1)
    assert (journey.failed, journey.unsaved) == ((("y", "413"),), 2)
    assert journey.work.is_done


def test_journey_forgets_what_has_been_written_down() -> None:
    """The failed are written once."""
    journey = _journey(Work((), NAMED))
    for connection in journey:
        journey.settle(Settlement(connection, Outcome.FAILED, 1, reason="413"))

    journey.saved()

    assert (journey.failed, journey.unsaved, journey.counts.failed) == ((), 0, 2)


def test_journey_keeps_who_was_tried_in_vain() -> None:
    """With the round counted; too many of them, and it has failed."""
    last = Connection("z", OLD_MS, MAX_ROUNDS - 1)
    journey = _journey(Work((), (NAMED[0], last)))

    for connection in journey:
        journey.settle(Settlement(connection, Outcome.LEFT, 5, reason="429"))
    journey.end_round(counts=True)

    assert journey.stragglers == [Connection("x", OLD_MS, 2)]
    assert journey.work == Work((), (Connection("x", OLD_MS, 2),))
    assert (journey.counts, journey.failed) == (Counts(2, failed=1), (("z", "429"),))


def test_journey_gives_stragglers_away() -> None:
    """Those given, and no other; they are targeted elsewhere."""
    journey = _journey(Work((), NAMED))
    for connection in journey:
        journey.settle(Settlement(connection, Outcome.LEFT, 1))
    journey.end_round(counts=True)
    first, second = journey.stragglers

    journey.give_away(Work((), (first,)))

    assert journey.work == Work((), (second,))
    assert journey.counts == Counts(1)


def test_journey_gives_shards_away() -> None:
    """They are not read here any more."""
    journey = _journey(Work(ALL), FakeDynamo(_rows(100)))
    given_away = journey.reader.not_begun

    journey.give_away(Work(given_away))

    assert journey.work == Work(ALL[: -len(given_away)])


@given(st.integers(0, 60), st.lists(st.sampled_from(Outcome), max_size=60), st.randoms())
def test_journey_knows_at_every_moment_what_is_left(
    taken: int,
    outcomes: list[Outcome],
    random: Random,
) -> None:
    """Wherever it is stopped, its account adds up, and nobody is in it twice or missing."""
    dynamo = FakeDynamo(_rows(50), page_rows=2)
    journey = _journey(Work(ALL, NAMED), dynamo)

    under_way = [connection for connection, _ in zip(journey, range(taken), strict=False)]
    random.shuffle(under_way)
    ended = set[str]()
    for connection, outcome in zip(under_way, outcomes, strict=False):
        journey.settle(Settlement(connection, outcome, 1))
        if outcome is not Outcome.LEFT:
            ended.add(connection.id)

    work, counts = journey.work, journey.counts
    assert counts.targeted == counts.ended + len(work.connections)
    rest = [one.id for one in _journey(work, dynamo)]
    assert sorted([*ended, *rest]) == sorted([*dynamo.rows, "x", "y"])


def test_journey_expires_everyone_who_has_not_ended() -> None:
    """Those under way, those left, the named, and those that are not read yet."""
    journey = _journey(Work(ALL, NAMED), FakeDynamo(_rows(100), page_rows=3))
    first, second, third = (next(journey) for _ in range(3))
    journey.settle(Settlement(first, Outcome.DELIVERED, 1))
    journey.settle(Settlement(second, Outcome.LEFT, 1))
    assert third.id.startswith("c")

    journey.expire()

    assert journey.work.is_done
    assert journey.counts == Counts(102, delivered=1, expired=101)
    assert journey.failed == ()


def test_journey_expires_only_whom_the_time_allows() -> None:
    """Past the deadline nothing is read: the next invocation goes on."""
    journey = _journey(Work(ALL, NAMED), FakeDynamo(_rows(9)), seconds=FAR)

    journey.expire()

    assert journey.work == Work(ALL)
    assert journey.counts == Counts(2, expired=2)


@pytest.mark.parametrize(
    ("rounds", "expected"),
    [
        (0, (Outcome.LEFT, 1)),
        (3, (Outcome.FAILED, 4)),
    ],
)
def test_round_ends(rounds: int, expected: tuple[Outcome, int]) -> None:
    """After the last one a connection that was tried in vain has failed."""
    ended = end_round(Settlement(Connection("a", 0, rounds), Outcome.LEFT, 1))

    assert (ended.outcome, ended.connection.rounds) == expected
