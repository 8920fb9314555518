"""Trouble of all connections, and of a few: what waits, and what fails."""

import pytest

from broadcasting.backlog import Backlog
from broadcasting.connection import SHARDS, Connection
from broadcasting.ledger import LeaseLostError
from broadcasting.ledger_rows import Lease, Outage
from broadcasting.outcome import Verdict
from broadcasting.receipt import Receipt
from broadcasting.retry import MAX_ROUNDS
from broadcasting.trouble import Trouble
from slices import upkeep
from storage.errors import ReadError
from testbed.model.fakes import (
    FAR,
    NOW_MS,
    OLD_MS,
    FakeDynamo,
    FakeFanOut,
    Fault,
    pending,
)
from tests.support.worker_floor import LEASE_MS, WorkerFloor, named, rows_of


@pytest.fixture
def floor() -> WorkerFloor:
    """A worker on fakes, with no connection yet."""
    return WorkerFloor()


def test_worker_delays_its_slice_when_it_is_forbidden(floor: WorkerFloor) -> None:
    """Nothing is counted against the connections; the delay gets longer each time."""
    some = tuple(Connection(name, OLD_MS) for name in "abc")
    floor.fan_out = FakeFanOut({"b": pending(Verdict.FORBIDDEN)}, most=2, forbidden=True)

    report = floor.deliver(floor.open(named(*some)))

    assert set(floor.backlog().connections) == set(some[1:])
    assert floor.sent == [("0", 5)]
    assert (report.trouble, report.counts.ended) == (Trouble.FORBIDDEN, 1)
    assert floor.slice_row().outage == Outage(NOW_MS, 1)


def test_worker_fails_a_few_that_are_refused(floor: WorkerFloor) -> None:
    """After their rounds, with the reason; all others have been delivered, and it settles."""
    floor.dynamo = FakeDynamo(rows_of(100))
    refused = list(floor.dynamo.rows)[:3]
    floor.fan_out = FakeFanOut({name: pending(Verdict.FORBIDDEN) for name in refused})

    first = floor.deliver()
    last = floor.deliver_all()

    assert (first.trouble, first.pending, first.reasons) == (None, 3, {"planned": 3})
    assert [delay for _, delay in floor.sent] == [10, 20, 40]
    assert last.summary.counts == Receipt(100, delivered=97, failed=3)
    assert len(floor.fan_out.frames) == MAX_ROUNDS


def test_worker_fails_an_audience_of_one_that_is_refused(floor: WorkerFloor) -> None:
    """When it has reached another broadcast's audience within the last minute."""
    floor.recent.note("another", 1, NOW_MS)
    floor.dynamo = FakeDynamo(rows_of(1))
    floor.fan_out = FakeFanOut({"c0000": pending(Verdict.FORBIDDEN)})

    floor.deliver()
    last = floor.deliver_all()

    assert last.summary.counts == Receipt(1, failed=1)


def test_worker_waits_with_an_audience_of_one_that_is_refused(floor: WorkerFloor) -> None:
    """Nothing tells that it is that connection's own trouble."""
    floor.dynamo = FakeDynamo(rows_of(1))
    floor.fan_out = FakeFanOut({"c0000": pending(Verdict.FORBIDDEN)})

    report = floor.deliver()

    assert (report.trouble, floor.sent) == (Trouble.FORBIDDEN, [("0", 5)])
    assert floor.backlog() == named(Connection("c0000", OLD_MS, 0))


@pytest.mark.parametrize(
    ("verdict", "trouble"),
    [
        (Verdict.LOST, Trouble.OUTAGE),
        (Verdict.FORBIDDEN, Trouble.FORBIDDEN),
        (Verdict.THROTTLED, Trouble.THROTTLED),
    ],
)
def test_worker_fails_no_connection_for_everyones_trouble(
    floor: WorkerFloor, verdict: Verdict, trouble: Trouble
) -> None:
    """The slice is delayed, longer each time; after the trouble all are delivered, once."""
    floor.dynamo = FakeDynamo(rows_of(20))
    floor.fan_out = FakeFanOut({name: pending(verdict) for name in floor.dynamo.rows})

    found = [floor.deliver()]
    for _ in range(7):
        floor.time.run(floor.sent[-1][1])
        found.append(floor.deliver(floor.lease()))
    floor.fan_out.settlements.clear()
    last = floor.deliver_all()

    assert {one.trouble for one in found} == {trouble}
    assert [delay for _, delay in floor.sent] == [5, 10, 20, 40, 80, 160, 300, 300]
    assert last.summary.counts.delivered == last.summary.counts.targeted == 20
    assert floor.slice_row().outage == Outage()


def test_worker_fails_no_small_audience_in_an_outage_of_minutes(floor: WorkerFloor) -> None:
    """The few pending ones are delayed for long, as it may be everyone's trouble all the same."""
    floor.dynamo = FakeDynamo(rows_of(20))
    lost = list(floor.dynamo.rows)[:15]
    floor.fan_out = FakeFanOut({name: pending(Verdict.LOST) for name in lost})

    floor.deliver()
    for _ in range(2):
        floor.time.run(floor.sent[-1][1])
        floor.deliver(floor.lease())

    assert [delay for _, delay in floor.sent] == [60, 120, 180]
    assert floor.slice_row().counts.failed == 0


def test_worker_fails_no_full_half_of_an_audience_for_a_quota_that_is_used_up_for_minutes(
    floor: WorkerFloor,
) -> None:
    """Fewer than were delivered, so it may be their buffers; the delay is long all the same."""
    floor.dynamo = FakeDynamo(rows_of(100))
    full = {name: pending(Verdict.THROTTLED) for name in list(floor.dynamo.rows)[:40]}
    floor.fan_out = FakeFanOut(full)

    floor.deliver()
    for _ in range(2):
        floor.time.run(floor.sent[-1][1])
        floor.deliver(floor.lease())

    assert [delay for _, delay in floor.sent] == [10, 120, 180]
    assert floor.slice_row().counts == Receipt(100, delivered=60)


def test_worker_gives_up_when_an_outage_was_waited_for_long_enough(floor: WorkerFloor) -> None:
    """The last delay ends with that time; the reason is kept, and nothing else is lost."""
    floor.dynamo = FakeDynamo(rows_of(20))
    floor.fan_out = FakeFanOut({name: pending(Verdict.LOST) for name in floor.dynamo.rows})

    report = floor.deliver()
    while not report.given_up:
        floor.time.run(floor.sent[-1][1])
        report = floor.deliver(floor.lease())

    assert floor.time.epoch_ms - NOW_MS == 3_600_000
    assert report.given_up.startswith("@connections did not answer: planned; check CALLBACK_URL")
    assert report.given_up.endswith("; waited for 3600 s")
    assert floor.slice_row().given_up == report.given_up[:200]
    assert len(floor.backlog().connections) == 20


def test_worker_does_not_give_up_when_its_lease_was_lost(floor: WorkerFloor) -> None:
    """The worker that has the slice now goes on with it: it is no dead letter."""
    floor.dynamo = FakeDynamo(rows_of(20))
    floor.fan_out = FakeFanOut({name: pending(Verdict.LOST) for name in floor.dynamo.rows})
    floor.deliver()
    floor.time.run(3_600)
    held = floor.lease()
    floor.time.run(LEASE_MS / 1000)
    assert isinstance(floor.lease(), Lease)

    report = floor.deliver(held)

    assert isinstance(report.stopped_by, LeaseLostError)
    assert not report.given_up


@pytest.mark.parametrize(("answered", "outage"), [(9, (NOW_MS, 2)), (11, (NOW_MS + 5_000, 1))])
def test_worker_begins_another_outage_when_most_posts_were_answered_before(
    floor: WorkerFloor, answered: int, outage: tuple[int, int]
) -> None:
    """The endpoint was back meanwhile: that time is not waited for, and delays are short again."""
    some = tuple(Connection(f"c{number}", OLD_MS) for number in range(40))
    floor.fan_out = FakeFanOut(most=0, forbidden=True)
    floor.deliver(floor.open(named(*some)))
    floor.time.run(5)
    lost = {one.id: pending(Verdict.LOST) for one in some[:10]}
    floor.fan_out = FakeFanOut(lost, most=10 + answered, forbidden=True)

    report = floor.deliver(floor.lease())

    assert report.trouble is Trouble.FORBIDDEN
    assert floor.slice_row().outage == Outage(*outage)


def test_worker_settles_as_expired_when_the_time_to_live_ends_an_outage(floor: WorkerFloor) -> None:
    """The slice is delayed no longer than that."""
    floor.dynamo = FakeDynamo(rows_of(20))
    floor.fan_out = FakeFanOut({name: pending(Verdict.LOST) for name in floor.dynamo.rows})

    floor.deliver(floor.open(ttl_ms=12_000))
    last = floor.deliver_all()

    assert [delay for _, delay in floor.sent] == [5, 7]
    assert last.summary.counts == Receipt(20, expired=20)


def test_worker_calls_nothing_an_outage_when_it_has_not_posted(floor: WorkerFloor) -> None:
    """The time to live has ended in an outage, and nothing can be read: SQS brings it again."""
    floor.dynamo = FakeDynamo(rows_of(400), page_rows=3)
    floor.fan_out = FakeFanOut(most=0, forbidden=True)
    floor.deliver(floor.open(ttl_ms=3_000))
    floor.dynamo.unreadable = {f"all#{shard}" for shard in range(SHARDS)}
    floor.time.run(3)
    floor.deliver(floor.lease())
    sent = list(floor.sent)

    report = floor.deliver(floor.lease())

    assert isinstance(report.failure, ReadError)
    assert report.trouble is None
    assert floor.sent == sent


def test_worker_delays_stragglers_of_everyones_trouble_while_others_go_on(
    floor: WorkerFloor,
) -> None:
    """Too many are refused to be a few; the others do not wait for them."""
    floor.dynamo = FakeDynamo(rows_of(60))
    names = list(floor.dynamo.rows)
    refused = {name: pending(Verdict.FORBIDDEN) for name in names[:40:2]}
    floor.fan_out = FakeFanOut(refused, most=59)

    report = floor.deliver()

    assert report.trouble is Trouble.FORBIDDEN
    assert floor.sent == [("1", 5), ("0", 0)]
    assert floor.slice_row("1").outage == Outage(NOW_MS, 1)
    assert floor.slice_row("1").delivered_before == report.counts.delivered
    assert floor.slice_row().outage == Outage()


@pytest.mark.parametrize("faults", [[], [Fault.BUSY]])
def test_worker_counts_no_round_for_the_last_few_when_all_of_it_is_throttled(
    floor: WorkerFloor, monkeypatch: pytest.MonkeyPatch, faults: list[Fault]
) -> None:
    """The stragglers that were to be given away were answered the same in this round."""
    monkeypatch.setattr(upkeep, "MOST_STRAGGLERS", 40)
    floor.dynamo = FakeDynamo(rows_of(50))
    floor.fan_out = FakeFanOut({name: pending(Verdict.THROTTLED) for name in floor.dynamo.rows})
    held = floor.open()
    floor.rows.faults = [*faults]

    floor.deliver(held)

    parts = [floor.slice_row(slice_id) for slice_id, _ in floor.sent]
    assert sum(len(slice_row.backlog.connections) for slice_row in parts) == 50
    assert {one.rounds for slice_row in parts for one in slice_row.backlog.connections} == {0}
    assert {
        (slice_row.outage.rounds, delay)
        for slice_row, (_, delay) in zip(parts, floor.sent, strict=True)
    } == {(1, 5)}


def test_worker_counts_what_the_broadcast_reached_before_a_slice_was_split_off(
    floor: WorkerFloor,
) -> None:
    """Ten that are pending of a thousand are a few, whichever slice they are in."""
    held = floor.open()
    refused = tuple(Connection(f"c{number}", OLD_MS, 1) for number in range(10))
    counts = Receipt(1_010, delivered=1_000)
    floor.ledger.split(held, Backlog(), counts, (), (named(*refused),), deadline=FAR)
    floor.fan_out = FakeFanOut({one.id: pending(Verdict.FORBIDDEN) for one in refused})

    report = floor.deliver(floor.lease("1"))

    assert report.trouble is None
    assert {one.rounds for one in floor.backlog("1").connections} == {2}


def test_worker_probes_before_it_posts_to_all_when_its_slice_was_delayed(
    floor: WorkerFloor,
) -> None:
    """It does not when the pending connections are a few, as the trouble may be their own."""
    floor.dynamo = FakeDynamo(rows_of(40))
    floor.fan_out = FakeFanOut({name: pending(Verdict.LOST) for name in floor.dynamo.rows})

    floor.deliver()
    floor.time.run(5)
    floor.deliver(floor.lease())

    assert floor.fan_out.probing == [False, True]
