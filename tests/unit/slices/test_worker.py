"""Delivering a slice: each connection is counted once, and none is forgotten."""

import pytest

from broadcasting.backlog import ALL_SHARDS
from broadcasting.connection import SHARDS
from broadcasting.ledger_rows import FailedRow, Lease
from broadcasting.outcome import Outcome
from broadcasting.receipt import Receipt
from slices import checkpoints
from testbed.model.fakes import (
    FAR,
    NOW_MS,
    FakeDynamo,
    FakeFanOut,
    plan,
)
from tests.support.worker_floor import WorkerFloor, rows_of


@pytest.fixture
def floor() -> WorkerFloor:
    """A worker on fakes, with no connection yet."""
    return WorkerFloor()


def test_worker_settles_the_broadcast_when_all_are_delivered(floor: WorkerFloor) -> None:
    """All are delivered, nothing is handed over; the ledger and the receipt agree."""
    floor.dynamo = FakeDynamo(rows_of(100), page_rows=4)

    report = floor.deliver()

    assert report.is_closed
    assert report.summary == floor.rows.summary("b")
    assert report.summary.is_settled
    assert report.counts == report.summary.counts == Receipt(100, delivered=100)
    assert (report.stopped_by, floor.sqs.sent) == (None, [])
    assert floor.fan_out.frames == ["frame 1"]


def test_worker_writes_twice_when_one_page_of_each_shard_is_all(floor: WorkerFloor) -> None:
    """A small broadcast is cheap: it is opened and closed."""
    floor.dynamo = FakeDynamo(rows_of(3_000))

    floor.deliver()

    assert len(floor.rows.writes) == 2


def test_worker_writes_the_account_down_after_each_page(
    floor: WorkerFloor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a crash at most the connections of a page are repeated."""
    monkeypatch.setattr(checkpoints, "CHECKPOINT_CONNECTIONS", 10)
    floor.dynamo = FakeDynamo(rows_of(100), page_rows=1)

    report = floor.deliver()

    assert len(floor.rows.writes) >= 10
    assert report.summary.counts == Receipt(100, delivered=100)


def test_worker_writes_the_account_down_when_many_have_failed(
    floor: WorkerFloor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A transaction takes a limited number of their ids and reasons."""
    monkeypatch.setattr(checkpoints, "CHECKPOINT_CONNECTIONS", 10)
    floor.dynamo = FakeDynamo(rows_of(100))
    floor.fan_out = FakeFanOut({name: plan(Outcome.FAILED) for name in floor.dynamo.rows})

    report = floor.deliver()

    failed = [row for rows in floor.rows.writes for row in rows if isinstance(row, FailedRow)]
    assert [len(row.failed) for row in failed] == [10] * 10
    assert report.summary.counts == Receipt(100, failed=100)


def test_worker_deletes_the_rows_of_gone_connections(floor: WorkerFloor) -> None:
    """Only theirs, in batches of 25."""
    floor.dynamo = FakeDynamo(rows_of(60))
    gone = list(floor.dynamo.rows)[:30]
    floor.fan_out = FakeFanOut({name: plan(Outcome.GONE) for name in gone})

    report = floor.deliver()

    assert report.counts == Receipt(60, delivered=30, gone=30)
    assert report.stale_rows_left == 0
    assert sorted(floor.dynamo.rows) == sorted(rows_of(60))[30:]
    assert sorted(len(batch) for batch in floor.dynamo.batches) == [5, 25]


def test_worker_releases_unread_shards_at_once_when_time_is_up(floor: WorkerFloor) -> None:
    """Nothing was read: the whole slice is to be taken up again."""
    floor.dynamo = FakeDynamo(rows_of(9))
    floor.time.seconds = FAR

    report = floor.deliver()

    assert floor.sent == [("0", 0)]
    assert floor.backlog() == ALL_SHARDS
    assert (report.unread_shards, report.is_closed) == (SHARDS, False)
    assert isinstance(floor.lease(), Lease)


def test_worker_releases_connections_not_taken_so_that_each_is_reached_once(
    floor: WorkerFloor,
) -> None:
    """When the slice is delivered to its end, hop by hop, the sums are exact."""
    floor.dynamo, floor.fan_out = FakeDynamo(rows_of(100), page_rows=2), FakeFanOut(most=7)

    first = floor.deliver()
    last = floor.deliver_all()

    assert (first.counts.delivered, last.counts.delivered) == (7, 2)
    assert len(floor.fan_out.frames) == 15
    assert last.summary.counts == Receipt(100, delivered=100)


def test_worker_gives_shards_to_others_after_a_second(floor: WorkerFloor) -> None:
    """It gives away those that it has not begun, each as a slice; together they reach all once."""
    floor.dynamo = FakeDynamo(rows_of(3_000), page_rows=100)
    floor.fan_out = FakeFanOut(time=floor.time, seconds_per_post=0.1)

    report = floor.deliver()

    assert report.handed_over > 0
    assert [delay for _, delay in floor.sent] == [0] * report.handed_over
    assert report.summary.open_slices == report.handed_over
    assert floor.deliver_all().summary.counts == Receipt(3_000, delivered=3_000)


def test_worker_gives_nothing_away_while_the_pace_holds_it_up(floor: WorkerFloor) -> None:
    """Others would share the same pace: they would cost, and not be faster."""
    floor.dynamo = FakeDynamo(rows_of(300), page_rows=100)
    floor.fan_out = FakeFanOut(time=floor.time, seconds_per_post=0.1, is_paced=True)

    report = floor.deliver()

    assert report.handed_over == 0
    assert report.summary.counts == Receipt(300, delivered=300)


def test_worker_reports_the_protocol_and_how_often_it_was_asked_for_calm(
    floor: WorkerFloor,
) -> None:
    """Of this invocation: an earlier one's are not counted again."""
    floor.dynamo = FakeDynamo(rows_of(3))
    floor.fan_out = FakeFanOut(protocol="http/1.1", calmed=7, calms=2)

    report = floor.deliver()

    assert (report.protocol, report.calmed) == ("http/1.1", 2)


def test_worker_reports_no_protocol_when_nothing_was_to_be_posted(floor: WorkerFloor) -> None:
    """What connections spoke earlier says nothing about this slice."""
    floor.dynamo = FakeDynamo(rows_of(3))
    held = floor.open(ttl_ms=1_000)
    floor.time.run(2.0)

    report = floor.deliver(held)

    assert (report.counts, report.protocol) == (Receipt(3, expired=3), "")


def test_worker_gives_nothing_away_within_a_second(floor: WorkerFloor) -> None:
    """A worker that is so fast has ended before another has begun."""
    floor.dynamo = FakeDynamo(rows_of(300))
    floor.fan_out = FakeFanOut(time=floor.time, seconds_per_post=0.003)

    assert floor.deliver().handed_over == 0


def test_worker_counts_each_connection_once_when_outcomes_are_mixed(floor: WorkerFloor) -> None:
    """Targeted is the sum of delivered, gone, failed and pending, exactly."""
    names = list(rows_of(100))
    floor.dynamo = FakeDynamo(rows_of(100))
    floor.fan_out = FakeFanOut(
        {
            **{name: plan(Outcome.GONE) for name in names[:10]},
            **{name: plan(Outcome.FAILED) for name in names[10:30]},
            **{name: plan(Outcome.PENDING) for name in names[30:60]},
        }
    )

    report = floor.deliver()

    assert report.counts == Receipt(100, delivered=40, gone=10, failed=20)
    assert report.pending == 30
    assert floor.deliver_all().summary.counts == Receipt(100, delivered=40, gone=10, failed=50)


def test_worker_posts_to_no_connection_when_the_broadcast_is_too_old(floor: WorkerFloor) -> None:
    """Every connection is met, and counted as expired, in one go."""
    floor.dynamo = FakeDynamo(rows_of(100), page_rows=3)
    held = floor.open(ttl_ms=1_000)
    floor.time.run(1)

    report = floor.deliver(held)

    assert floor.fan_out.frames == []
    assert report.summary.counts == Receipt(100, expired=100)
    assert report.summary.is_settled


def test_worker_stops_posting_when_the_broadcast_grows_too_old(floor: WorkerFloor) -> None:
    """Those before are delivered, those after are expired; each is counted once."""
    floor.dynamo = FakeDynamo(rows_of(100), page_rows=3)
    straggler = min(floor.dynamo.rows)
    floor.fan_out = FakeFanOut(
        {straggler: plan(Outcome.PENDING)},
        time=floor.time,
        seconds_per_post=0.01,
    )

    report = floor.deliver(floor.open(ttl_ms=500))

    delivered = report.counts.delivered
    assert delivered in (49, 50)
    assert report.summary.counts == Receipt(100, delivered=delivered, expired=100 - delivered)
    assert NOW_MS + 500 <= floor.time.epoch_ms <= NOW_MS + 510


def test_worker_delays_stragglers_no_longer_than_the_time_to_live(floor: WorkerFloor) -> None:
    """Then they are expired, and the broadcast settles."""
    floor.dynamo = FakeDynamo(rows_of(10))
    floor.fan_out = FakeFanOut({"c0003": plan(Outcome.PENDING)})

    floor.deliver(floor.open(ttl_ms=1_400))
    last = floor.deliver_all()

    assert floor.sent == [("0", 2)]
    assert last.summary.counts == Receipt(10, delivered=9, expired=1)


def test_worker_expires_in_the_next_invocation_when_the_time_is_up(floor: WorkerFloor) -> None:
    """The deadline comes first: the worker that goes on expires the pending connections."""
    floor.dynamo = FakeDynamo(rows_of(100), page_rows=3)
    floor.time.seconds = FAR
    held = floor.open(ttl_ms=1_000)
    floor.time.run(1)

    first = floor.deliver(held)
    floor.time.seconds = 0
    last = floor.deliver_all()

    assert first.counts == Receipt()
    assert last.summary.counts == Receipt(100, expired=100)


def test_worker_posts_to_all_when_the_broadcast_is_young_enough(floor: WorkerFloor) -> None:
    """A time to live that is not reached changes nothing."""
    floor.dynamo = FakeDynamo(rows_of(10))

    report = floor.deliver(floor.open(ttl_ms=1))

    assert report.summary.counts == Receipt(10, delivered=10)
