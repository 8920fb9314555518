"""Connections that are tried in vain: delayed, given away, failed in the end."""

import json

import pytest

from broadcasting.connection import Connection
from broadcasting.ledger import Refusal
from broadcasting.ledger_rows import Lease
from broadcasting.outcome import Outcome
from broadcasting.receipt import Receipt
from broadcasting.retry import MAX_ROUNDS
from slices import upkeep
from testbed.model.fakes import (
    NOW_MS,
    OLD_MS,
    FakeDynamo,
    FakeFanOut,
    plan,
)
from tests.support.worker_floor import WorkerFloor, named, rows_of


@pytest.fixture
def floor() -> WorkerFloor:
    """A worker on fakes, with no connection yet."""
    return WorkerFloor()


def test_worker_releases_stragglers_for_a_while(floor: WorkerFloor) -> None:
    """A connection that was tried in vain is tried later, with the round counted."""
    floor.dynamo = FakeDynamo({"a": OLD_MS, "b": OLD_MS})
    floor.fan_out = FakeFanOut({"a": plan(Outcome.PENDING, tries=3, throttles=3)})

    report = floor.deliver()

    assert floor.sent == [("0", 10)]
    assert floor.backlog() == named(Connection("a", OLD_MS, 1))
    assert (report.pending, report.counts) == (1, Receipt(2, delivered=1, throttled=3))


def test_worker_delays_stragglers_whichever_message_comes(floor: WorkerFloor) -> None:
    """A message that is delivered again does not use up their rounds; their own one does come."""
    floor.dynamo = FakeDynamo({"a": OLD_MS})
    floor.fan_out = FakeFanOut({"a": plan(Outcome.PENDING)})
    floor.deliver()
    floor.time.run(4)

    assert floor.lease() is Refusal.LEASED
    floor.time.run(6)
    assert isinstance(floor.lease(), Lease)


def test_worker_delays_stragglers_that_it_gave_away_too(
    floor: WorkerFloor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No worker can lease their slice until then."""
    monkeypatch.setattr(upkeep, "MOST_STRAGGLERS", 2)
    floor.dynamo = FakeDynamo(rows_of(3))
    floor.fan_out = FakeFanOut({name: plan(Outcome.PENDING) for name in floor.dynamo.rows})
    floor.deliver()

    assert floor.lease("1") is Refusal.LEASED
    floor.time.run(10)
    assert isinstance(floor.lease("1"), Lease)


def test_worker_releases_young_stragglers_until_they_have_come_of_age(floor: WorkerFloor) -> None:
    """The delay covers the youth of a connection whose 410 may not be true."""
    floor.fan_out = FakeFanOut({"a": plan(Outcome.PENDING, tries=3)})

    floor.deliver(floor.open(named(Connection("a", NOW_MS))))

    assert floor.sent == [("0", 60)]


def test_worker_gives_stragglers_away_when_there_are_many(
    floor: WorkerFloor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row holds a limited number; another slice tries them later, and each is counted once."""
    monkeypatch.setattr(upkeep, "MOST_STRAGGLERS", 10)
    floor.dynamo = FakeDynamo(rows_of(95))
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


def test_worker_delays_stragglers_and_has_the_others_taken_up_at_once(floor: WorkerFloor) -> None:
    """The others were not tried before the deadline: they have waited long enough."""
    floor.dynamo = FakeDynamo(rows_of(3))
    floor.fan_out = FakeFanOut(
        {
            "c0000": plan(Outcome.PENDING),
            "c0001": plan(Outcome.PENDING, tries=0),
            "c0002": plan(Outcome.DELIVERED),
        }
    )

    report = floor.deliver()

    assert floor.sent == [("1", 10), ("0", 0)]
    assert floor.backlog() == named(Connection("c0001", OLD_MS))
    assert floor.backlog("1") == named(Connection("c0000", OLD_MS, 1))
    assert report.counts == Receipt(3, delivered=1)


def test_worker_delays_stragglers_while_shards_are_unread(floor: WorkerFloor) -> None:
    """Short invocations would use up their rounds within seconds."""
    floor.dynamo = FakeDynamo(rows_of(200), page_rows=3)
    names = list(floor.dynamo.rows)
    floor.fan_out = FakeFanOut(dict.fromkeys(names, plan(Outcome.PENDING)), most=20)

    floor.deliver()

    assert floor.sent == [("1", 10), ("0", 0)]
    assert len(floor.backlog("1").connections) == 20
    assert floor.backlog().connections == ()


def test_worker_fails_connections_that_were_tried_in_vain_too_often(floor: WorkerFloor) -> None:
    """The last round ends in failed; the id and the reason are kept."""
    floor.fan_out = FakeFanOut({"a": plan(Outcome.PENDING)})

    report = floor.deliver(floor.open(named(Connection("a", OLD_MS, MAX_ROUNDS - 1))))

    assert (report.counts, report.pending, floor.sent) == (Receipt(0, failed=1), 0, [])
    failed = floor.rows.items["broadcast#b", "failed#0#000000"]["failed"]["S"]
    assert json.loads(failed) == [["a", "planned"]]
