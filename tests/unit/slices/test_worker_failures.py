"""A worker whose ledger, queues or reads fail: nothing is lost, and nothing counted twice."""

import json
from threading import enumerate as enumerate_threads

import pytest

from broadcasting.backlog import ALL_SHARDS, Backlog, ShardCursor
from broadcasting.connection import SHARDS, Connection, shard_of
from broadcasting.ledger import LeaseLostError
from broadcasting.ledger_rows import Lease
from broadcasting.outcome import Outcome, Verdict
from broadcasting.receipt import Receipt
from slices import checkpoints, upkeep
from slices.ending import STOPPED_DELAY_SECONDS
from storage.errors import ReadError, StorageError, WriteError
from testbed.model.fakes import (
    FAR,
    OLD_MS,
    FakeDynamo,
    FakeFanOut,
    Fault,
    pending,
    plan,
)
from tests.support.worker_floor import LEASE_MS, WorkerFloor, held_by, named, rows_of


@pytest.fixture
def floor() -> WorkerFloor:
    """A worker on fakes, with no connection yet."""
    return WorkerFloor()


def test_worker_calls_it_no_outage_when_nothing_can_be_read(floor: WorkerFloor) -> None:
    """The slice goes back with its outage as it was: no post was made."""
    floor.dynamo = FakeDynamo(rows_of(40))
    floor.fan_out = FakeFanOut({name: pending(Verdict.LOST) for name in floor.dynamo.rows}, most=37)
    floor.deliver()
    before = floor.slice_row().outage
    floor.ledger.release(
        held_by(floor.lease_after(5)), ALL_SHARDS, Receipt(), (), deadline=FAR, outage=before
    )
    floor.dynamo.unreadable = {f"all#{shard}" for shard in range(SHARDS)}

    report = floor.deliver(floor.lease())

    assert (report.trouble, floor.slice_row().outage) == (None, before)
    assert isinstance(report.failure, ReadError)


def test_worker_raises_nothing_and_reports_what_was_saved_when_nothing_could_be_read(
    floor: WorkerFloor,
) -> None:
    """A read failed before any connection ended: the message goes back."""
    floor.dynamo = FakeDynamo(unreadable={f"all#{shard}" for shard in range(SHARDS)})

    report = floor.deliver()

    assert isinstance(report.failure, ReadError)
    assert isinstance(floor.lease(), Lease)


def test_worker_reaches_all_others_when_one_shard_cannot_be_read(floor: WorkerFloor) -> None:
    """Only that shard is pending, with a delay, and the report says why."""
    floor.dynamo = FakeDynamo(rows_of(300), page_rows=2, unreadable={"all#3"})

    report = floor.deliver()

    assert floor.backlog() == Backlog((ShardCursor("all#3"),))
    assert floor.sent == [("0", STOPPED_DELAY_SECONDS)]
    assert report.counts.delivered == sum(shard_of(name) != 3 for name in floor.dynamo.rows)
    assert isinstance(report.stopped_by, ReadError)


def test_worker_raises_when_the_slice_cannot_be_sent(floor: WorkerFloor) -> None:
    """A refused message is never silent; the slice is free when ours comes again."""
    floor.sqs.broken = {"slices"}
    floor.time.seconds = FAR

    report = floor.deliver()

    assert isinstance(report.failure, StorageError)
    assert "slice 0 of b not sent" in str(report.failure)
    assert isinstance(floor.lease(), Lease)


def test_worker_announces_slices_again_when_that_was_not_certain(floor: WorkerFloor) -> None:
    """A crash between the split and the messages costs no connection the broadcast."""
    held = floor.ledger.split(
        floor.open(),
        Backlog(),
        Receipt(),
        (),
        (Backlog((ShardCursor("all#1"),)), Backlog((ShardCursor("all#2"),))),
        deadline=FAR,
    )
    floor.time.run(LEASE_MS / 1000)

    report = floor.deliver(floor.lease())

    assert floor.sent == [("1", 0), ("2", 0)]
    assert report.is_closed
    assert held.summary.open_slices == 3
    assert floor.deliver_all().summary.slices == 3


def test_worker_that_announces_slices_again_delays_stragglers(floor: WorkerFloor) -> None:
    """The worker that split them off has died; they are no younger, and no less often tried."""
    parts = (named(Connection("a", OLD_MS, 2)), named(Connection("b", OLD_MS, 1)), Backlog())
    floor.ledger.split(floor.open(), Backlog(), Receipt(2), (), parts, deadline=FAR)
    floor.time.run(LEASE_MS / 1000)

    floor.deliver(floor.lease())

    assert floor.sent == [("1", 20), ("2", 10), ("3", 0)]


def test_worker_delays_stragglers_when_their_message_was_refused_at_first(
    floor: WorkerFloor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message is sent in the end, with the same delay."""
    monkeypatch.setattr(upkeep, "MOST_STRAGGLERS", 2)
    floor.dynamo = FakeDynamo(rows_of(3))
    floor.fan_out = FakeFanOut({name: plan(Outcome.PENDING) for name in floor.dynamo.rows})
    floor.sqs.refusals = 1

    floor.deliver()

    assert floor.sent == [("1", 10), ("0", 10)]


@pytest.mark.parametrize("clients", [39, 40, 100])
def test_worker_gives_up_slices_of_as_many_stragglers_as_one_names(
    floor: WorkerFloor, clients: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The quota is used up for good: none becomes another slice over and over again."""
    monkeypatch.setattr(upkeep, "MOST_STRAGGLERS", 20)
    floor.dynamo = FakeDynamo(rows_of(clients))
    floor.fan_out = FakeFanOut(dict.fromkeys(floor.dynamo.rows, pending(Verdict.THROTTLED)))

    reports = [floor.deliver()]
    for message in floor.sqs.sent:  # grows
        floor.time.run(message["DelaySeconds"])
        held = floor.lease(json.loads(message["MessageBody"])["slice"])
        if isinstance(held, Lease):
            reports.append(floor.deliver(held))
        assert floor.time.seconds < 6 * 3_600

    given_up = [one for one in reports if one.given_up]
    assert sum(one.pending for one in given_up) == clients
    assert floor.rows.summary("b").open_slices == len(given_up)


@pytest.mark.parametrize("page_rows", [1, 1_000])
def test_worker_stops_when_its_lease_was_lost(
    floor: WorkerFloor, page_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the next checkpoint or at the end: it writes nothing, and sends nothing."""
    monkeypatch.setattr(checkpoints, "CHECKPOINT_CONNECTIONS", 10)
    floor.dynamo = FakeDynamo(rows_of(100), page_rows=page_rows)
    held = floor.open()
    floor.time.run(LEASE_MS / 1000)
    other = floor.lease()
    before = dict(floor.rows.items)

    report = floor.deliver(held)

    assert isinstance(report.stopped_by, LeaseLostError)
    assert (floor.rows.items, floor.sent) == (before, [])
    assert not report.is_closed
    assert floor.deliver(other).summary.counts == Receipt(100, delivered=100)


def test_worker_raises_when_the_account_cannot_be_written(floor: WorkerFloor) -> None:
    """The message comes again; a connection may then be posted to twice."""
    floor.dynamo = FakeDynamo(rows_of(10))
    held = floor.open()
    floor.rows.faults = [Fault.REFUSED]

    report = floor.deliver(held)
    floor.time.run(LEASE_MS / 1000)

    assert isinstance(report.failure, WriteError)
    assert report.counts == Receipt()
    assert floor.deliver(floor.lease()).summary.counts == Receipt(10, delivered=10)


def test_worker_releases_a_slice_with_an_empty_backlog_when_it_cannot_be_closed(
    floor: WorkerFloor,
) -> None:
    """That is a write to its own row alone; another invocation closes it, and posts to none."""
    floor.dynamo = FakeDynamo(rows_of(10))
    held = floor.open()
    floor.rows.is_busy = lambda rows: len(rows) > 1

    report = floor.deliver(held)
    floor.rows.is_busy = lambda _: False
    last = floor.deliver_all()

    assert (report.is_closed, report.failure, floor.sent) == (False, None, [("0", 0)])
    assert floor.time.seconds >= FAR
    assert last.summary.counts == Receipt(10, delivered=10)
    assert len(floor.fan_out.frames) == 1


def test_worker_goes_on_posting_when_a_checkpoint_cannot_be_written(floor: WorkerFloor) -> None:
    """The last write decides; until then no more than a second's worth is unsaved."""
    floor.dynamo = FakeDynamo(rows_of(100), page_rows=3)
    floor.fan_out = FakeFanOut(time=floor.time, seconds_per_post=0.05, is_paced=True)
    held = floor.open()
    floor.rows.is_busy = lambda _: floor.time.seconds < 3.0

    report = floor.deliver(held)

    assert report.summary.counts == Receipt(100, delivered=100)
    assert floor.fan_out.paused > 0
    assert floor.fan_out.most_unsaved <= 21


def test_worker_keeps_what_it_cannot_give_away(
    floor: WorkerFloor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A split that is refused is made later, or never; each connection is counted once."""
    monkeypatch.setattr(upkeep, "MOST_STRAGGLERS", 10)
    floor.dynamo = FakeDynamo(rows_of(50))
    names = list(floor.dynamo.rows)
    floor.fan_out = FakeFanOut({name: plan(Outcome.PENDING) for name in names[:15]})
    held = floor.open()
    floor.rows.is_busy = lambda rows: len(rows) > 2

    report = floor.deliver(held)
    floor.rows.is_busy = lambda _: False
    floor.fan_out.settlements.clear()
    last = floor.deliver_all()

    assert report.handed_over == 0
    assert report.pending == 15
    assert last.summary.counts == Receipt(50, delivered=50)


def test_worker_never_raises_for_its_clean_up(floor: WorkerFloor) -> None:
    """Rows of gone connections that stay are no harm; the threads end with the invocation."""
    floor.dynamo = FakeDynamo(rows_of(60), write_errors=[MemoryError("injected")] * 9)
    floor.fan_out = FakeFanOut({name: plan(Outcome.GONE) for name in floor.dynamo.rows})

    report = floor.deliver()

    assert (report.is_closed, report.stale_rows_left) == (True, 60)
    sweeping = [one for one in enumerate_threads() if one.name.startswith("sweep")]
    for thread in sweeping:
        thread.join(10)
    assert not any(one.is_alive() for one in sweeping)


@pytest.mark.parametrize("fault", [Fault.BUSY, Fault.LOST])
def test_worker_waits_when_dynamodb_is_busy_at_the_end(floor: WorkerFloor, fault: Fault) -> None:
    """A closing that is throttled, or whose answer is lost, repeats no connection."""
    floor.dynamo = FakeDynamo(rows_of(10))
    held = floor.open()
    floor.rows.faults = [fault] * 3

    report = floor.deliver(held)

    assert report.is_closed
    assert floor.rows.summary("b").counts == report.counts == Receipt(10, delivered=10)
    assert len(floor.fan_out.frames) == 1
