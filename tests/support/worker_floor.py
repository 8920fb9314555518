"""A worker on fakes: the floor that the tests of the worker stand on."""

import json
from dataclasses import dataclass, field

from broadcasting.audience import Audience
from broadcasting.backlog import Backlog, whole_backlog
from broadcasting.connection import Connection
from broadcasting.ledger import Refusal
from broadcasting.ledger_items import slice_key, slice_of
from broadcasting.ledger_opening import NewBroadcast
from broadcasting.ledger_rows import Lease, SliceRow
from broadcasting.receipt import Receipt
from broadcasting.trouble import RecentAnswers
from slices.report import InvocationReport
from slices.worker import Worker
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
    half,
)
from testbed.model.ledger_dynamo import counters_of

LEASE_MS = 65_000


def rows_of(count: int) -> dict[str, int]:
    """Return old connections: when they were made, by their ids."""
    return {f"c{number:04}": OLD_MS for number in range(count)}


def named(*connections: Connection) -> Backlog:
    """Return the backlog of a slice that names connections."""
    return Backlog(connections=connections)


@dataclass
class WorkerFloor:
    """One worker, and one broadcast `b`; `audience` is whom it is for."""

    dynamo: FakeDynamo = field(default_factory=FakeDynamo)
    fan_out: FakeFanOut = field(default_factory=FakeFanOut)
    sqs: FakeSqs = field(default_factory=FakeSqs)
    rows: FakeLedgerTable = field(default_factory=FakeLedgerTable)
    time: FakeTime = field(default_factory=FakeTime)
    recent: RecentAnswers = field(default_factory=RecentAnswers)
    audience: Audience = field(default_factory=Audience)

    @property
    def ledger(self) -> Ledger:
        """The ledger, as a worker has it."""
        return Ledger(
            self.rows.table,
            counters_of(self.rows),
            clock=self.time.clock,
            jitter=half,
            replay_seconds=60,
        )

    def open(self, backlog: Backlog | None = None, *, ttl_ms: int = 0) -> Lease:
        """Open the broadcast; a backlog that names connections is that of a slice under way."""
        expires_ms = NOW_MS + ttl_ms if ttl_ms else 0
        backlog = whole_backlog(self.audience) if backlog is None else backlog
        fresh = Backlog(backlog.shards)
        frame_of = "frame {}".format
        opening = NewBroadcast("b", "d", self.audience, frame_of, NOW_MS, expires_ms, fresh)
        held = self.ledger.open(opening, until_ms=self.time.epoch_ms + LEASE_MS, deadline=FAR)
        assert isinstance(held, Lease)
        if not backlog.connections:
            return held
        counts = Receipt(targeted=len(backlog.connections))
        return self.ledger.checkpoint(held, backlog, counts, ())

    def lease(self, slice_id: str = "0") -> Lease | Refusal:
        """Take a slice up."""
        return self.ledger.lease("b", slice_id, until_ms=self.time.epoch_ms + LEASE_MS)

    def lease_after(self, seconds: float) -> Lease | Refusal:
        """Take the first slice up later."""
        self.time.run(seconds)
        return self.lease()

    def deliver(self, held: Lease | Refusal | None = None) -> InvocationReport:
        """Deliver a slice; without one, the first slice of the broadcast that is opened."""
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
        """The slices whose messages were sent, and their delays."""
        return [
            (json.loads(one["MessageBody"])["slice"], one["DelaySeconds"]) for one in self.sqs.sent
        ]

    def slice_row(self, slice_id: str = "0") -> SliceRow:
        """Return a slice as it is now."""
        return slice_of(self.rows.items[slice_key("b", slice_id)])

    def backlog(self, slice_id: str = "0") -> Backlog:
        """Return what is still to do for a slice."""
        return self.slice_row(slice_id).backlog


def held_by(held: Lease | Refusal) -> Lease:
    """Return a lease that was given."""
    assert isinstance(held, Lease)
    return held
