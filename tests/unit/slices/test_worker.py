"""Delivering a slice: each connection is counted once, and none is forgotten."""

import json
from dataclasses import dataclass, field
from threading import enumerate as enumerate_threads

import pytest

from broadcasting.audience import Audience
from broadcasting.backlog import ALL_SHARDS, Backlog, ShardCursor
from broadcasting.connection import SHARDS, Connection, shard_of
from broadcasting.ledger import LeaseLostError, Refusal
from broadcasting.ledger_items import slice_key, slice_of
from broadcasting.ledger_opening import NewBroadcast
from broadcasting.ledger_rows import FailedRow, Lease, Outage, SliceRow
from broadcasting.outcome import Outcome, Verdict
from broadcasting.receipt import Receipt
from broadcasting.retry import MAX_ROUNDS
from broadcasting.trouble import RecentAnswers, Trouble
from slices import checkpoints, upkeep
from slices.ending import STOPPED_DELAY_SECONDS
from slices.report import InvocationReport
from slices.worker import Worker
from storage.errors import ReadError, StorageError, WriteError
from storage.ledger import Ledger
from storage.queues import SliceQueue
from testbed.model.fakes import (
    FAR,
    NOW_MS,
    OLD_MS,
    FakeDynamo,
    FakeFanOut,
    FakeLedgerTable,
    FakeSqs,
    FakeTime,
    Fault,
    half,
    pending,
    plan,
)
from testbed.model.ledger_dynamo import counters_of

LEASE_MS = 65_000


def _rows(count: int) -> dict[str, int]:
    return {f"c{number:04}": OLD_MS for number in range(count)}


def _named(*connections: Connection) -> Backlog:
    return Backlog(connections=connections)


@dataclass
class _Floor:
    dynamo: FakeDynamo = field(default_factory=FakeDynamo)
    fan_out: FakeFanOut = field(default_factory=FakeFanOut)
    sqs: FakeSqs = field(default_factory=FakeSqs)
    rows: FakeLedgerTable = field(default_factory=FakeLedgerTable)
    time: FakeTime = field(default_factory=FakeTime)
    recent: RecentAnswers = field(default_factory=RecentAnswers)

    @property
    def ledger(self) -> Ledger:
        return Ledger(
            self.rows.table,
            counters_of(self.rows),
            clock=self.time.clock,
            jitter=half,
            replay_seconds=60,
        )

    def open(self, backlog: Backlog = ALL_SHARDS, *, ttl_ms: int = 0) -> Lease:
        expires_ms = NOW_MS + ttl_ms if ttl_ms else 0
        fresh = Backlog(backlog.shards)
        opening = NewBroadcast("b", "d", Audience(), "frame {}".format, NOW_MS, expires_ms, fresh)
        held = self.ledger.open(opening, until_ms=self.time.epoch_ms + LEASE_MS, deadline=FAR)
        assert isinstance(held, Lease)
        if not backlog.connections:
            return held
        counts = Receipt(targeted=len(backlog.connections))
        return self.ledger.checkpoint(held, backlog, counts, ())

    def lease(self, slice_id: str = "0") -> Lease | Refusal:
        return self.ledger.lease("b", slice_id, until_ms=self.time.epoch_ms + LEASE_MS)

    def lease_after(self, seconds: float) -> Lease | Refusal:
        self.time.run(seconds)
        return self.lease()

    def deliver(self, held: Lease | Refusal | None = None) -> InvocationReport:
        held = held or self.open()
        assert isinstance(held, Lease)
        one = Worker(
            pages=self.dynamo.pages,
            table=self.dynamo.table,
            fan_out=self.fan_out,
            ledger=self.ledger,
            slice_queue=SliceQueue(self.sqs.client, "slices"),
            clock=self.time.clock,
            jitter=half,
            outage_seconds=3_600,
            recent=self.recent,
        )
        return one.deliver(held, FAR)

    def deliver_all(self) -> InvocationReport:
        """Deliver all slices that have been sent, until the broadcast is settled."""
        for message in self.sqs.sent:  # grows
            self.time.run(message["DelaySeconds"])
            held = self.lease(json.loads(message["MessageBody"])["slice"])
            if isinstance(held, Lease):
                report = self.deliver(held)
        assert report.summary.is_settled
        return report

    @property
    def sent(self) -> list[tuple[str, int]]:
        return [
            (json.loads(one["MessageBody"])["slice"], one["DelaySeconds"]) for one in self.sqs.sent
        ]

    def slice_row(self, slice_id: str = "0") -> SliceRow:
        return slice_of(self.rows.items[slice_key("b", slice_id)])

    def backlog(self, slice_id: str = "0") -> Backlog:
        return self.slice_row(slice_id).backlog


def _held(held: Lease | Refusal) -> Lease:
    assert isinstance(held, Lease)
    return held


@pytest.fixture
def floor() -> _Floor:
    """A worker on fakes, with no connection yet."""
    return _Floor()


def test_worker_settles_the_broadcast_when_all_are_delivered(floor: _Floor) -> None:
    """All are delivered, nothing is handed over; the ledger and the receipt agree."""
    floor.dynamo = FakeDynamo(_rows(100), page_rows=4)

    report = floor.deliver()

    assert report.is_closed
    assert report.summary == floor.rows.summary("b")
    assert report.summary.is_settled
    assert report.counts == report.summary.counts == Receipt(100, delivered=100)
    assert (report.stopped_by, floor.sqs.sent) == (None, [])
    assert floor.fan_out.frames == ["frame 1"]


def test_worker_writes_twice_when_one_page_of_each_shard_is_all(floor: _Floor) -> None:
    """A small broadcast is cheap: it is opened and closed."""
    floor.dynamo = FakeDynamo(_rows(3_000))

    floor.deliver()

    assert len(floor.rows.writes) == 2


def test_worker_writes_the_account_down_after_each_page(
    floor: _Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a crash at most the connections of a page are repeated."""
    monkeypatch.setattr(checkpoints, "CHECKPOINT_CONNECTIONS", 10)
    floor.dynamo = FakeDynamo(_rows(100), page_rows=1)

    report = floor.deliver()

    assert len(floor.rows.writes) >= 10
    assert report.summary.counts == Receipt(100, delivered=100)


def test_worker_writes_the_account_down_when_many_have_failed(
    floor: _Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A transaction takes a limited number of their ids and reasons."""
    monkeypatch.setattr(checkpoints, "CHECKPOINT_CONNECTIONS", 10)
    floor.dynamo = FakeDynamo(_rows(100))
    floor.fan_out = FakeFanOut({name: plan(Outcome.FAILED) for name in floor.dynamo.rows})

    report = floor.deliver()

    failed = [row for rows in floor.rows.writes for row in rows if isinstance(row, FailedRow)]
    assert [len(row.failed) for row in failed] == [10] * 10
    assert report.summary.counts == Receipt(100, failed=100)


def test_worker_deletes_the_rows_of_gone_connections(floor: _Floor) -> None:
    """Only theirs, in batches of 25."""
    floor.dynamo = FakeDynamo(_rows(60))
    gone = list(floor.dynamo.rows)[:30]
    floor.fan_out = FakeFanOut({name: plan(Outcome.GONE) for name in gone})

    report = floor.deliver()

    assert report.counts == Receipt(60, delivered=30, gone=30)
    assert report.stale_rows_left == 0
    assert sorted(floor.dynamo.rows) == sorted(_rows(60))[30:]
    assert sorted(len(batch) for batch in floor.dynamo.batches) == [5, 25]


def test_worker_releases_unread_shards_at_once_when_time_is_up(floor: _Floor) -> None:
    """Nothing was read: the whole slice is to be taken up again."""
    floor.dynamo = FakeDynamo(_rows(9))
    floor.time.seconds = FAR

    report = floor.deliver()

    assert floor.sent == [("0", 0)]
    assert floor.backlog() == ALL_SHARDS
    assert (report.unread_shards, report.is_closed) == (SHARDS, False)
    assert isinstance(floor.lease(), Lease)


def test_worker_releases_connections_not_taken_so_that_each_is_reached_once(floor: _Floor) -> None:
    """When the slice is delivered to its end, hop by hop, the sums are exact."""
    floor.dynamo, floor.fan_out = FakeDynamo(_rows(100), page_rows=2), FakeFanOut(most=7)

    first = floor.deliver()
    last = floor.deliver_all()

    assert (first.counts.delivered, last.counts.delivered) == (7, 2)
    assert len(floor.fan_out.frames) == 15
    assert last.summary.counts == Receipt(100, delivered=100)


def test_worker_gives_shards_to_others_after_a_second(floor: _Floor) -> None:
    """It gives away those that it has not begun, each as a slice; together they reach all once."""
    floor.dynamo = FakeDynamo(_rows(3_000), page_rows=100)
    floor.fan_out = FakeFanOut(time=floor.time, seconds_per_post=0.1)

    report = floor.deliver()

    assert report.handed_over > 0
    assert [delay for _, delay in floor.sent] == [0] * report.handed_over
    assert report.summary.open_slices == report.handed_over
    assert floor.deliver_all().summary.counts == Receipt(3_000, delivered=3_000)


def test_worker_gives_nothing_away_while_the_pace_holds_it_up(floor: _Floor) -> None:
    """Others would share the same pace: they would cost, and not be faster."""
    floor.dynamo = FakeDynamo(_rows(300), page_rows=100)
    floor.fan_out = FakeFanOut(time=floor.time, seconds_per_post=0.1, is_paced=True)

    report = floor.deliver()

    assert report.handed_over == 0
    assert report.summary.counts == Receipt(300, delivered=300)


def test_worker_reports_the_protocol_and_how_often_it_was_asked_for_calm(floor: _Floor) -> None:
    """Of this invocation: an earlier one's are not counted again."""
    floor.dynamo = FakeDynamo(_rows(3))
    floor.fan_out = FakeFanOut(protocol="http/1.1", calmed=7, calms=2)

    report = floor.deliver()

    assert (report.protocol, report.calmed) == ("http/1.1", 2)


def test_worker_reports_no_protocol_when_nothing_was_to_be_posted(floor: _Floor) -> None:
    """What connections spoke earlier says nothing about this slice."""
    floor.dynamo = FakeDynamo(_rows(3))
    held = floor.open(ttl_ms=1_000)
    floor.time.run(2.0)

    report = floor.deliver(held)

    assert (report.counts, report.protocol) == (Receipt(3, expired=3), "")


def test_worker_gives_nothing_away_within_a_second(floor: _Floor) -> None:
    """A worker that is so fast has ended before another has begun."""
    floor.dynamo = FakeDynamo(_rows(300))
    floor.fan_out = FakeFanOut(time=floor.time, seconds_per_post=0.003)

    assert floor.deliver().handed_over == 0


def test_worker_releases_stragglers_for_a_while(floor: _Floor) -> None:
    """A connection that was tried in vain is tried later, with the round counted."""
    floor.dynamo = FakeDynamo({"a": OLD_MS, "b": OLD_MS})
    floor.fan_out = FakeFanOut({"a": plan(Outcome.PENDING, tries=3, throttles=3)})

    report = floor.deliver()

    assert floor.sent == [("0", 10)]
    assert floor.backlog() == _named(Connection("a", OLD_MS, 1))
    assert (report.pending, report.counts) == (1, Receipt(2, delivered=1, throttled=3))


def test_worker_delays_stragglers_whichever_message_comes(floor: _Floor) -> None:
    """A message that is delivered again does not use up their rounds; their own one does come."""
    floor.dynamo = FakeDynamo({"a": OLD_MS})
    floor.fan_out = FakeFanOut({"a": plan(Outcome.PENDING)})
    floor.deliver()
    floor.time.run(4)

    assert floor.lease() is Refusal.LEASED
    floor.time.run(6)
    assert isinstance(floor.lease(), Lease)


def test_worker_delays_stragglers_that_it_gave_away_too(
    floor: _Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No worker can lease their slice until then."""
    monkeypatch.setattr(upkeep, "MOST_STRAGGLERS", 2)
    floor.dynamo = FakeDynamo(_rows(3))
    floor.fan_out = FakeFanOut({name: plan(Outcome.PENDING) for name in floor.dynamo.rows})
    floor.deliver()

    assert floor.lease("1") is Refusal.LEASED
    floor.time.run(10)
    assert isinstance(floor.lease("1"), Lease)


def test_worker_releases_young_stragglers_until_they_have_come_of_age(floor: _Floor) -> None:
    """The delay covers the youth of a connection whose 410 may not be true."""
    floor.fan_out = FakeFanOut({"a": plan(Outcome.PENDING, tries=3)})

    floor.deliver(floor.open(_named(Connection("a", NOW_MS))))

    assert floor.sent == [("0", 60)]


def test_worker_gives_stragglers_away_when_there_are_many(
    floor: _Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row holds a limited number; another slice tries them later, and each is counted once."""
    monkeypatch.setattr(upkeep, "MOST_STRAGGLERS", 10)
    floor.dynamo = FakeDynamo(_rows(95))
    names = list(floor.dynamo.rows)
    floor.fan_out = FakeFanOut({name: plan(Outcome.PENDING) for name in names[:35]})

    report = floor.deliver()
    counts = [report.counts]
    floor.fan_out.settlements.clear()
    floor.deliver_all()

    assert floor.sent == [("1", 10), ("2", 10), ("3", 10), ("0", 10)]
    assert report.handed_over == 3
    assert counts == [Receipt(95, delivered=60)]
    assert floor.rows.summary("b").counts == Receipt(95, delivered=95)


def test_worker_delays_stragglers_and_has_the_others_taken_up_at_once(floor: _Floor) -> None:
    """The others were not tried before the deadline: they have waited long enough."""
    floor.dynamo = FakeDynamo(_rows(3))
    floor.fan_out = FakeFanOut(
        {
            "c0000": plan(Outcome.PENDING),
            "c0001": plan(Outcome.PENDING, tries=0),
            "c0002": plan(Outcome.DELIVERED),
        }
    )

    report = floor.deliver()

    assert floor.sent == [("1", 10), ("0", 0)]
    assert floor.backlog() == _named(Connection("c0001", OLD_MS))
    assert floor.backlog("1") == _named(Connection("c0000", OLD_MS, 1))
    assert report.counts == Receipt(3, delivered=1)


def test_worker_delays_stragglers_while_shards_are_unread(floor: _Floor) -> None:
    """Short invocations would use up their rounds within seconds."""
    floor.dynamo = FakeDynamo(_rows(200), page_rows=3)
    names = list(floor.dynamo.rows)
    floor.fan_out = FakeFanOut(dict.fromkeys(names, plan(Outcome.PENDING)), most=20)

    floor.deliver()

    assert floor.sent == [("1", 10), ("0", 0)]
    assert len(floor.backlog("1").connections) == 20
    assert floor.backlog().connections == ()


def test_worker_fails_connections_that_were_tried_in_vain_too_often(floor: _Floor) -> None:
    """The last round ends in failed; the id and the reason are kept."""
    floor.fan_out = FakeFanOut({"a": plan(Outcome.PENDING)})

    report = floor.deliver(floor.open(_named(Connection("a", OLD_MS, MAX_ROUNDS - 1))))

    assert (report.counts, report.pending, floor.sent) == (Receipt(0, failed=1), 0, [])
    failed = floor.rows.items["broadcast#b", "failed#0#000000"]["failed"]["S"]
    assert json.loads(failed) == [["a", "planned"]]


def test_worker_delays_its_slice_when_it_is_forbidden(floor: _Floor) -> None:
    """Nothing is counted against the connections; the delay gets longer each time."""
    named = tuple(Connection(name, OLD_MS) for name in "abc")
    floor.fan_out = FakeFanOut({"b": pending(Verdict.FORBIDDEN)}, most=2, forbidden=True)

    report = floor.deliver(floor.open(_named(*named)))

    assert set(floor.backlog().connections) == set(named[1:])
    assert floor.sent == [("0", 5)]
    assert (report.trouble, report.counts.ended) == (Trouble.FORBIDDEN, 1)
    assert floor.slice_row().outage == Outage(NOW_MS, 1)


def test_worker_fails_a_few_that_are_refused(floor: _Floor) -> None:
    """After their rounds, with the reason; all others have been delivered, and it settles."""
    floor.dynamo = FakeDynamo(_rows(100))
    refused = list(floor.dynamo.rows)[:3]
    floor.fan_out = FakeFanOut({name: pending(Verdict.FORBIDDEN) for name in refused})

    first = floor.deliver()
    last = floor.deliver_all()

    assert (first.trouble, first.pending, first.reasons) == (None, 3, {"planned": 3})
    assert [delay for _, delay in floor.sent] == [10, 20, 40]
    assert last.summary.counts == Receipt(100, delivered=97, failed=3)
    assert len(floor.fan_out.frames) == MAX_ROUNDS


def test_worker_fails_an_audience_of_one_that_is_refused(floor: _Floor) -> None:
    """When it has reached another broadcast's audience within the last minute."""
    floor.recent.note("another", 1, NOW_MS)
    floor.dynamo = FakeDynamo(_rows(1))
    floor.fan_out = FakeFanOut({"c0000": pending(Verdict.FORBIDDEN)})

    floor.deliver()
    last = floor.deliver_all()

    assert last.summary.counts == Receipt(1, failed=1)


def test_worker_waits_with_an_audience_of_one_that_is_refused(floor: _Floor) -> None:
    """Nothing tells that it is that connection's own trouble."""
    floor.dynamo = FakeDynamo(_rows(1))
    floor.fan_out = FakeFanOut({"c0000": pending(Verdict.FORBIDDEN)})

    report = floor.deliver()

    assert (report.trouble, floor.sent) == (Trouble.FORBIDDEN, [("0", 5)])
    assert floor.backlog() == _named(Connection("c0000", OLD_MS, 0))


@pytest.mark.parametrize(
    ("verdict", "trouble"),
    [
        (Verdict.LOST, Trouble.OUTAGE),
        (Verdict.FORBIDDEN, Trouble.FORBIDDEN),
        (Verdict.THROTTLED, Trouble.THROTTLED),
    ],
)
def test_worker_fails_no_connection_for_everyones_trouble(
    floor: _Floor, verdict: Verdict, trouble: Trouble
) -> None:
    """The slice is delayed, longer each time; after the trouble all are delivered, once."""
    floor.dynamo = FakeDynamo(_rows(20))
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


def test_worker_fails_no_small_audience_in_an_outage_of_minutes(floor: _Floor) -> None:
    """The few pending ones are delayed for long, as it may be everyone's trouble all the same."""
    floor.dynamo = FakeDynamo(_rows(20))
    lost = list(floor.dynamo.rows)[:15]
    floor.fan_out = FakeFanOut({name: pending(Verdict.LOST) for name in lost})

    floor.deliver()
    for _ in range(2):
        floor.time.run(floor.sent[-1][1])
        floor.deliver(floor.lease())

    assert [delay for _, delay in floor.sent] == [60, 120, 180]
    assert floor.slice_row().counts.failed == 0


def test_worker_fails_no_full_half_of_an_audience_for_a_quota_that_is_used_up_for_minutes(
    floor: _Floor,
) -> None:
    """Fewer than were delivered, so it may be their buffers; the delay is long all the same."""
    floor.dynamo = FakeDynamo(_rows(100))
    full = {name: pending(Verdict.THROTTLED) for name in list(floor.dynamo.rows)[:40]}
    floor.fan_out = FakeFanOut(full)

    floor.deliver()
    for _ in range(2):
        floor.time.run(floor.sent[-1][1])
        floor.deliver(floor.lease())

    assert [delay for _, delay in floor.sent] == [10, 120, 180]
    assert floor.slice_row().counts == Receipt(100, delivered=60)


def test_worker_gives_up_when_an_outage_was_waited_for_long_enough(floor: _Floor) -> None:
    """The last delay ends with that time; the reason is kept, and nothing else is lost."""
    floor.dynamo = FakeDynamo(_rows(20))
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


def test_worker_does_not_give_up_when_its_lease_was_lost(floor: _Floor) -> None:
    """The worker that has the slice now goes on with it: it is no dead letter."""
    floor.dynamo = FakeDynamo(_rows(20))
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
    floor: _Floor, answered: int, outage: tuple[int, int]
) -> None:
    """The endpoint was back meanwhile: that time is not waited for, and delays are short again."""
    named = tuple(Connection(f"c{number}", OLD_MS) for number in range(40))
    floor.fan_out = FakeFanOut(most=0, forbidden=True)
    floor.deliver(floor.open(_named(*named)))
    floor.time.run(5)
    lost = {one.id: pending(Verdict.LOST) for one in named[:10]}
    floor.fan_out = FakeFanOut(lost, most=10 + answered, forbidden=True)

    report = floor.deliver(floor.lease())

    assert report.trouble is Trouble.FORBIDDEN
    assert floor.slice_row().outage == Outage(*outage)


def test_worker_settles_as_expired_when_the_time_to_live_ends_an_outage(floor: _Floor) -> None:
    """The slice is delayed no longer than that."""
    floor.dynamo = FakeDynamo(_rows(20))
    floor.fan_out = FakeFanOut({name: pending(Verdict.LOST) for name in floor.dynamo.rows})

    floor.deliver(floor.open(ttl_ms=12_000))
    last = floor.deliver_all()

    assert [delay for _, delay in floor.sent] == [5, 7]
    assert last.summary.counts == Receipt(20, expired=20)


def test_worker_calls_nothing_an_outage_when_it_has_not_posted(floor: _Floor) -> None:
    """The time to live has ended in an outage, and nothing can be read: SQS brings it again."""
    floor.dynamo = FakeDynamo(_rows(400), page_rows=3)
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
    floor: _Floor,
) -> None:
    """Too many are refused to be a few; the others do not wait for them."""
    floor.dynamo = FakeDynamo(_rows(60))
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
    floor: _Floor, monkeypatch: pytest.MonkeyPatch, faults: list[Fault]
) -> None:
    """The stragglers that were to be given away were answered the same in this round."""
    monkeypatch.setattr(upkeep, "MOST_STRAGGLERS", 40)
    floor.dynamo = FakeDynamo(_rows(50))
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
    floor: _Floor,
) -> None:
    """Ten that are pending of a thousand are a few, whichever slice they are in."""
    held = floor.open()
    refused = tuple(Connection(f"c{number}", OLD_MS, 1) for number in range(10))
    counts = Receipt(1_010, delivered=1_000)
    floor.ledger.split(held, Backlog(), counts, (), (_named(*refused),), deadline=FAR)
    floor.fan_out = FakeFanOut({one.id: pending(Verdict.FORBIDDEN) for one in refused})

    report = floor.deliver(floor.lease("1"))

    assert report.trouble is None
    assert {one.rounds for one in floor.backlog("1").connections} == {2}


def test_worker_probes_before_it_posts_to_all_when_its_slice_was_delayed(floor: _Floor) -> None:
    """It does not when the pending connections are a few, as the trouble may be their own."""
    floor.dynamo = FakeDynamo(_rows(40))
    floor.fan_out = FakeFanOut({name: pending(Verdict.LOST) for name in floor.dynamo.rows})

    floor.deliver()
    floor.time.run(5)
    floor.deliver(floor.lease())

    assert floor.fan_out.probing == [False, True]


def test_worker_calls_it_no_outage_when_nothing_can_be_read(floor: _Floor) -> None:
    """The slice goes back with its outage as it was: no post was made."""
    floor.dynamo = FakeDynamo(_rows(40))
    floor.fan_out = FakeFanOut({name: pending(Verdict.LOST) for name in floor.dynamo.rows}, most=37)
    floor.deliver()
    before = floor.slice_row().outage
    floor.ledger.release(
        _held(floor.lease_after(5)), ALL_SHARDS, Receipt(), (), deadline=FAR, outage=before
    )
    floor.dynamo.unreadable = {f"all#{shard}" for shard in range(SHARDS)}

    report = floor.deliver(floor.lease())

    assert (report.trouble, floor.slice_row().outage) == (None, before)
    assert isinstance(report.failure, ReadError)


def test_worker_raises_nothing_and_reports_what_was_saved_when_nothing_could_be_read(
    floor: _Floor,
) -> None:
    """A read failed before any connection ended: the message goes back."""
    floor.dynamo = FakeDynamo(unreadable={f"all#{shard}" for shard in range(SHARDS)})

    report = floor.deliver()

    assert isinstance(report.failure, ReadError)
    assert isinstance(floor.lease(), Lease)


def test_worker_reaches_all_others_when_one_shard_cannot_be_read(floor: _Floor) -> None:
    """Only that shard is pending, with a delay, and the report says why."""
    floor.dynamo = FakeDynamo(_rows(300), page_rows=2, unreadable={"all#3"})

    report = floor.deliver()

    assert floor.backlog() == Backlog((ShardCursor("all#3"),))
    assert floor.sent == [("0", STOPPED_DELAY_SECONDS)]
    assert report.counts.delivered == sum(shard_of(name) != 3 for name in floor.dynamo.rows)
    assert isinstance(report.stopped_by, ReadError)


def test_worker_raises_when_the_slice_cannot_be_sent(floor: _Floor) -> None:
    """A refused message is never silent; the slice is free when ours comes again."""
    floor.sqs.broken = {"slices"}
    floor.time.seconds = FAR

    report = floor.deliver()

    assert isinstance(report.failure, StorageError)
    assert "slice 0 of b not sent" in str(report.failure)
    assert isinstance(floor.lease(), Lease)


def test_worker_announces_slices_again_when_that_was_not_certain(floor: _Floor) -> None:
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


def test_worker_that_announces_slices_again_delays_stragglers(floor: _Floor) -> None:
    """The worker that split them off has died; they are no younger, and no less often tried."""
    parts = (_named(Connection("a", OLD_MS, 2)), _named(Connection("b", OLD_MS, 1)), Backlog())
    floor.ledger.split(floor.open(), Backlog(), Receipt(2), (), parts, deadline=FAR)
    floor.time.run(LEASE_MS / 1000)

    floor.deliver(floor.lease())

    assert floor.sent == [("1", 20), ("2", 10), ("3", 0)]


def test_worker_delays_stragglers_when_their_message_was_refused_at_first(
    floor: _Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message is sent in the end, with the same delay."""
    monkeypatch.setattr(upkeep, "MOST_STRAGGLERS", 2)
    floor.dynamo = FakeDynamo(_rows(3))
    floor.fan_out = FakeFanOut({name: plan(Outcome.PENDING) for name in floor.dynamo.rows})
    floor.sqs.refusals = 1

    floor.deliver()

    assert floor.sent == [("1", 10), ("0", 10)]


@pytest.mark.parametrize("clients", [39, 40, 100])
def test_worker_gives_up_slices_of_as_many_stragglers_as_one_names(
    floor: _Floor, clients: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The quota is used up for good: none becomes another slice over and over again."""
    monkeypatch.setattr(upkeep, "MOST_STRAGGLERS", 20)
    floor.dynamo = FakeDynamo(_rows(clients))
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
    floor: _Floor, page_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the next checkpoint or at the end: it writes nothing, and sends nothing."""
    monkeypatch.setattr(checkpoints, "CHECKPOINT_CONNECTIONS", 10)
    floor.dynamo = FakeDynamo(_rows(100), page_rows=page_rows)
    held = floor.open()
    floor.time.run(LEASE_MS / 1000)
    other = floor.lease()
    before = dict(floor.rows.items)

    report = floor.deliver(held)

    assert isinstance(report.stopped_by, LeaseLostError)
    assert (floor.rows.items, floor.sent) == (before, [])
    assert not report.is_closed
    assert floor.deliver(other).summary.counts == Receipt(100, delivered=100)


def test_worker_raises_when_the_account_cannot_be_written(floor: _Floor) -> None:
    """The message comes again; a connection may then be posted to twice."""
    floor.dynamo = FakeDynamo(_rows(10))
    held = floor.open()
    floor.rows.faults = [Fault.REFUSED]

    report = floor.deliver(held)
    floor.time.run(LEASE_MS / 1000)

    assert isinstance(report.failure, WriteError)
    assert report.counts == Receipt()
    assert floor.deliver(floor.lease()).summary.counts == Receipt(10, delivered=10)


def test_worker_releases_a_slice_with_an_empty_backlog_when_it_cannot_be_closed(
    floor: _Floor,
) -> None:
    """That is a write to its own row alone; another invocation closes it, and posts to none."""
    floor.dynamo = FakeDynamo(_rows(10))
    held = floor.open()
    floor.rows.is_busy = lambda rows: len(rows) > 1

    report = floor.deliver(held)
    floor.rows.is_busy = lambda _: False
    last = floor.deliver_all()

    assert (report.is_closed, report.failure, floor.sent) == (False, None, [("0", 0)])
    assert floor.time.seconds >= FAR
    assert last.summary.counts == Receipt(10, delivered=10)
    assert len(floor.fan_out.frames) == 1


def test_worker_goes_on_posting_when_a_checkpoint_cannot_be_written(floor: _Floor) -> None:
    """The last write decides; until then no more than a second's worth is unsaved."""
    floor.dynamo = FakeDynamo(_rows(100), page_rows=3)
    floor.fan_out = FakeFanOut(time=floor.time, seconds_per_post=0.05, is_paced=True)
    held = floor.open()
    floor.rows.is_busy = lambda _: floor.time.seconds < 3.0

    report = floor.deliver(held)

    assert report.summary.counts == Receipt(100, delivered=100)
    assert floor.fan_out.paused > 0
    assert floor.fan_out.most_unsaved <= 21


def test_worker_keeps_what_it_cannot_give_away(
    floor: _Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A split that is refused is made later, or never; each connection is counted once."""
    monkeypatch.setattr(upkeep, "MOST_STRAGGLERS", 10)
    floor.dynamo = FakeDynamo(_rows(50))
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


def test_worker_never_raises_for_its_clean_up(floor: _Floor) -> None:
    """Rows of gone connections that stay are no harm; the threads end with the invocation."""
    floor.dynamo = FakeDynamo(_rows(60), write_errors=[MemoryError("injected")] * 9)
    floor.fan_out = FakeFanOut({name: plan(Outcome.GONE) for name in floor.dynamo.rows})

    report = floor.deliver()

    assert (report.is_closed, report.stale_rows_left) == (True, 60)
    sweeping = [one for one in enumerate_threads() if one.name.startswith("sweep")]
    for thread in sweeping:
        thread.join(10)
    assert not any(one.is_alive() for one in sweeping)


@pytest.mark.parametrize("fault", [Fault.BUSY, Fault.LOST])
def test_worker_waits_when_dynamodb_is_busy_at_the_end(floor: _Floor, fault: Fault) -> None:
    """A closing that is throttled, or whose answer is lost, repeats no connection."""
    floor.dynamo = FakeDynamo(_rows(10))
    held = floor.open()
    floor.rows.faults = [fault] * 3

    report = floor.deliver(held)

    assert report.is_closed
    assert floor.rows.summary("b").counts == report.counts == Receipt(10, delivered=10)
    assert len(floor.fan_out.frames) == 1


def test_worker_counts_each_connection_once_when_outcomes_are_mixed(floor: _Floor) -> None:
    """Targeted is the sum of delivered, gone, failed and pending, exactly."""
    names = list(_rows(100))
    floor.dynamo = FakeDynamo(_rows(100))
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


def test_worker_posts_to_no_connection_when_the_broadcast_is_too_old(floor: _Floor) -> None:
    """Every connection is met, and counted as expired, in one go."""
    floor.dynamo = FakeDynamo(_rows(100), page_rows=3)
    held = floor.open(ttl_ms=1_000)
    floor.time.run(1)

    report = floor.deliver(held)

    assert floor.fan_out.frames == []
    assert report.summary.counts == Receipt(100, expired=100)
    assert report.summary.is_settled


def test_worker_stops_posting_when_the_broadcast_grows_too_old(floor: _Floor) -> None:
    """Those before are delivered, those after are expired; each is counted once."""
    floor.dynamo = FakeDynamo(_rows(100), page_rows=3)
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


def test_worker_delays_stragglers_no_longer_than_the_time_to_live(floor: _Floor) -> None:
    """Then they are expired, and the broadcast settles."""
    floor.dynamo = FakeDynamo(_rows(10))
    floor.fan_out = FakeFanOut({"c0003": plan(Outcome.PENDING)})

    floor.deliver(floor.open(ttl_ms=1_400))
    last = floor.deliver_all()

    assert floor.sent == [("0", 2)]
    assert last.summary.counts == Receipt(10, delivered=9, expired=1)


def test_worker_expires_in_the_next_invocation_when_the_time_is_up(floor: _Floor) -> None:
    """The deadline comes first: the worker that goes on expires the pending connections."""
    floor.dynamo = FakeDynamo(_rows(100), page_rows=3)
    floor.time.seconds = FAR
    held = floor.open(ttl_ms=1_000)
    floor.time.run(1)

    first = floor.deliver(held)
    floor.time.seconds = 0
    last = floor.deliver_all()

    assert first.counts == Receipt()
    assert last.summary.counts == Receipt(100, expired=100)


def test_worker_posts_to_all_when_the_broadcast_is_young_enough(floor: _Floor) -> None:
    """A time to live that is not reached changes nothing."""
    floor.dynamo = FakeDynamo(_rows(10))

    report = floor.deliver(floor.open(ttl_ms=1))

    assert report.summary.counts == Receipt(10, delivered=10)
