"""Carrying a slice: everyone is accounted for, nobody is forgotten."""

import pytest

from broadcasting.audience import SHARDS, Connection, shard_of
from broadcasting.outcome import Outcome, Settlement
from broadcasting.retry import MAX_ROUNDS
from broadcasting.slice import ShardCursor, Slice, open_slice, parse_slice
from delivery.port import ForbiddenError
from storage.errors import ReadError, StorageError
from storage.queues import SliceQueue
from tests.unit.lambdas.fakes import (
    FAR,
    NOW_MS,
    OLD_MS,
    FakeDynamo,
    FakeFanOut,
    FakeSqs,
    FakeTime,
    plan,
)
from worker import STOPPED_DELAY_SECONDS, Carried, Worker, end_round

OPEN = open_slice("b", "frame", 1)


def _rows(count: int) -> dict[str, int]:
    return {f"c{number:04}": OLD_MS for number in range(count)}


def _named(*connections: Connection) -> Slice:
    return Slice("b", "frame", 1, connections=connections)


def _carry(
    piece: Slice,
    *,
    sqs: FakeSqs,
    fan_out: FakeFanOut | None = None,
    dynamo: FakeDynamo | None = None,
    time: FakeTime | None = None,
) -> Carried:
    worker = Worker(
        table=(dynamo or FakeDynamo()).table,
        fan_out=fan_out or FakeFanOut(),
        slice_queue=SliceQueue(sqs.client, "slices"),
        clock=(time or FakeTime()).clock,
    )
    return worker.carry(piece, FAR)


def _sent(sqs: FakeSqs) -> list[tuple[Slice, int]]:
    return [(parse_slice(one["MessageBody"]), one["DelaySeconds"]) for one in sqs.sent]


def _assert_nobody_is_lost(carried: Carried) -> None:
    receipt = carried.receipt
    ended = receipt.delivered + receipt.gone + receipt.failed
    assert receipt.targeted == ended + receipt.left


def test_worker_settles_everyone() -> None:
    """All are delivered, nothing is handed over."""
    sqs = FakeSqs()

    carried = _carry(OPEN, sqs=sqs, dynamo=FakeDynamo(_rows(100), page_rows=4))

    assert (carried.receipt.targeted, carried.receipt.delivered) == (100, 100)
    assert carried.is_settled
    assert carried.stopped_by is None
    assert sqs.sent == []


def test_worker_deletes_the_rows_of_who_is_gone() -> None:
    """Only theirs, in batches of 25."""
    dynamo = FakeDynamo(_rows(60))
    fan_out = FakeFanOut({name: plan(Outcome.GONE) for name in list(dynamo.rows)[:30]})

    carried = _carry(OPEN, sqs=FakeSqs(), fan_out=fan_out, dynamo=dynamo)

    assert (carried.receipt.gone, carried.receipt.delivered) == (30, 30)
    assert carried.stale_rows_left == 0
    assert sorted(dynamo.rows) == sorted(_rows(60))[30:]
    assert sorted(len(batch) for batch in dynamo.batches) == [5, 25]


def test_worker_hands_over_unread_shards_at_once_when_time_is_up() -> None:
    """Nothing was read: the whole slice travels on, one hop further."""
    sqs = FakeSqs()

    carried = _carry(OPEN, sqs=sqs, dynamo=FakeDynamo(_rows(9)), time=FakeTime(seconds=FAR))

    ((rest, delay_seconds),) = _sent(sqs)
    assert (rest.shards, rest.hops, delay_seconds) == (OPEN.shards, 1, 0)
    assert carried.unread_shards == SHARDS
    assert not carried.is_settled


def test_worker_hands_over_who_was_not_taken_so_that_each_is_reached_once() -> None:
    """Carried to the end, hop by hop, the sums are exact."""
    dynamo, queue = FakeDynamo(_rows(100), page_rows=2), [OPEN]
    targeted = delivered = 0

    while queue:
        sqs = FakeSqs()
        carried = _carry(queue.pop(0), sqs=sqs, dynamo=dynamo, fan_out=FakeFanOut(most=7))
        assert {delay_seconds for _, delay_seconds in _sent(sqs)} <= {0}
        queue += [piece for piece, _ in _sent(sqs)]
        targeted += carried.receipt.targeted
        delivered += carried.receipt.delivered

    assert (targeted, delivered) == (100, 100)


def test_worker_hands_over_stragglers_after_a_while() -> None:
    """Who was tried in vain comes back with its round counted."""
    sqs = FakeSqs()
    fan_out = FakeFanOut({"a": plan(Outcome.LEFT, tries=3, throttles=3)})

    carried = _carry(OPEN, sqs=sqs, fan_out=fan_out, dynamo=FakeDynamo({"a": OLD_MS, "b": OLD_MS}))

    ((rest, delay_seconds),) = _sent(sqs)
    assert (rest.connections, delay_seconds) == ((Connection("a", OLD_MS, 1),), 10)
    assert (carried.receipt.left, carried.receipt.throttled) == (1, 3)
    _assert_nobody_is_lost(carried)


def test_worker_hands_over_young_stragglers_when_they_have_come_of_age() -> None:
    """The delay covers the youth of a connection whose 410 may not be true."""
    sqs = FakeSqs()

    _carry(
        _named(Connection("a", NOW_MS)),
        sqs=sqs,
        fan_out=FakeFanOut({"a": plan(Outcome.LEFT, tries=3)}),
    )

    assert [delay_seconds for _, delay_seconds in _sent(sqs)] == [60]


def test_worker_fails_who_was_tried_in_vain_too_often() -> None:
    """The last round ends in failed, with its reason."""
    sqs = FakeSqs()

    carried = _carry(
        _named(Connection("a", OLD_MS, MAX_ROUNDS - 1)),
        sqs=sqs,
        fan_out=FakeFanOut({"a": plan(Outcome.LEFT)}),
    )

    assert (carried.receipt.failed, carried.receipt.left) == (1, 0)
    assert carried.receipt.failed_connections[0].reason == "planned"
    assert sqs.sent == []


@pytest.mark.parametrize(
    ("outcome", "tries", "rounds", "expected"),
    [
        (Outcome.DELIVERED, 1, 0, (Outcome.DELIVERED, 0)),
        (Outcome.LEFT, 0, 3, (Outcome.LEFT, 3)),
        (Outcome.LEFT, 1, 0, (Outcome.LEFT, 1)),
        (Outcome.LEFT, 1, 3, (Outcome.FAILED, 4)),
    ],
)
def test_round_ends(
    outcome: Outcome, tries: int, rounds: int, expected: tuple[Outcome, int]
) -> None:
    """Only a try in vain counts as a round."""
    ended = end_round(Settlement(Connection("a", 0, rounds), outcome, tries))

    assert (ended.outcome, ended.connection.rounds) == expected


def test_worker_raises_when_forbidden_before_anyone_ended() -> None:
    """The message goes back to the queue as it is: nothing is handed over."""
    sqs = FakeSqs()
    fan_out = FakeFanOut({"a": plan(Outcome.LEFT, tries=0)}, forbidden=True)

    with pytest.raises(ForbiddenError):
        _carry(OPEN, sqs=sqs, fan_out=fan_out, dynamo=FakeDynamo({"a": OLD_MS}))

    assert sqs.sent == []


def test_worker_hands_over_with_a_delay_when_forbidden_after_someone_ended() -> None:
    """Nobody hears it twice; the rest waits, and is not counted as tried."""
    sqs = FakeSqs()
    named = _named(Connection("a", OLD_MS), Connection("b", OLD_MS), Connection("c", OLD_MS))
    fan_out = FakeFanOut({"b": plan(Outcome.LEFT, tries=0)}, most=2, forbidden=True)

    carried = _carry(named, sqs=sqs, fan_out=fan_out)

    ((rest, delay_seconds),) = _sent(sqs)
    assert rest.connections == named.connections[1:]
    assert delay_seconds == STOPPED_DELAY_SECONDS
    assert isinstance(carried.stopped_by, ForbiddenError)


def test_worker_raises_when_nothing_could_be_read() -> None:
    """A failed read before anyone ended: the message goes back."""
    dynamo = FakeDynamo({}, unreadable={f"all#{shard}" for shard in range(SHARDS)})

    with pytest.raises(ReadError):
        _carry(OPEN, sqs=FakeSqs(), dynamo=dynamo)


def test_worker_hands_over_the_shard_with_a_delay_when_a_read_fails_later() -> None:
    """What was named is delivered; the unread shard is tried again."""
    sqs = FakeSqs()
    piece = Slice("b", "frame", 1, (ShardCursor(0, "x"),), (Connection("a", OLD_MS),))

    carried = _carry(piece, sqs=sqs, dynamo=FakeDynamo(unreadable={"all#0"}))

    ((rest, delay_seconds),) = _sent(sqs)
    assert (rest.shards, delay_seconds) == ((ShardCursor(0, "x"),), STOPPED_DELAY_SECONDS)
    assert isinstance(carried.stopped_by, ReadError)
    assert not carried.is_settled


def test_worker_reaches_everyone_else_when_one_shard_cannot_be_read() -> None:
    """Only that shard is handed over, with a delay, and the account says why."""
    sqs, dynamo = FakeSqs(), FakeDynamo(_rows(300), page_rows=2, unreadable={"all#3"})

    carried = _carry(OPEN, sqs=sqs, dynamo=dynamo)

    ((rest, delay_seconds),) = _sent(sqs)
    assert (rest.shards, rest.connections) == ((ShardCursor(3),), ())
    assert delay_seconds == STOPPED_DELAY_SECONDS
    assert carried.receipt.delivered == sum(shard_of(name) != 3 for name in dynamo.rows)
    assert isinstance(carried.stopped_by, ReadError)
    _assert_nobody_is_lost(carried)


def test_worker_raises_when_the_rest_cannot_be_handed_over() -> None:
    """A refused hand-over is never silent."""
    with pytest.raises(StorageError, match="slice of b not sent"):
        _carry(OPEN, sqs=FakeSqs(broken={"slices"}), time=FakeTime(seconds=FAR))


def test_worker_accounts_for_everyone_when_outcomes_are_mixed() -> None:
    """Targeted is delivered, gone, failed and left, exactly."""
    names = list(_rows(100))
    planned = {
        **{name: plan(Outcome.GONE) for name in names[:10]},
        **{name: plan(Outcome.FAILED) for name in names[10:30]},
        **{name: plan(Outcome.LEFT) for name in names[30:60]},
    }

    carried = _carry(
        OPEN, sqs=FakeSqs(), fan_out=FakeFanOut(planned), dynamo=FakeDynamo(_rows(100))
    )

    receipt = carried.receipt
    assert (receipt.gone, receipt.failed, receipt.left, receipt.delivered) == (10, 20, 30, 40)
    _assert_nobody_is_lost(carried)
