"""A broadcast that the release before has opened is finished by this one."""

from dataclasses import dataclass, field, replace

import pytest

from broadcasting.audience import Audience
from broadcasting.backlog import ALL_SHARDS, Backlog
from broadcasting.ledger import Refusal
from broadcasting.ledger_opening import NewBroadcast
from broadcasting.ledger_rows import Lease
from broadcasting.message import identity_of, parse_broadcast
from broadcasting.slice_message import parse_slice_message
from storage.ledger import Ledger
from testbed.model.fakes import FAR, NOW_MS, FakeLedgerTable, FakeTime, half
from testbed.model.ledger_dynamo import counters_of
from tests.support import samples

UNTIL_MS = NOW_MS + 200_000


@dataclass
class _Deploy:
    """The rows of the release before, and a ledger of this one."""

    table: FakeLedgerTable = field(default_factory=FakeLedgerTable)
    time: FakeTime = field(default_factory=FakeTime)

    def __post_init__(self) -> None:
        self.table.items |= {(item["pk"]["S"], item["sk"]["S"]): item for item in samples.ROWS}
        self.ledger = Ledger(
            self.table.table,
            counters_of(self.table),
            clock=self.time.clock,
            jitter=half,
            replay_seconds=60,
        )

    def open(self, id_: str = "news-1") -> Lease | Refusal:
        broadcast = parse_broadcast(samples.BROADCAST_MESSAGE, "m")
        new = NewBroadcast(
            id_, broadcast.digest, Audience(), "frame {}".format, NOW_MS, 0, ALL_SHARDS
        )
        return self.ledger.open(new, until_ms=UNTIL_MS, deadline=FAR)

    def finish(self, held: Lease) -> Lease:
        """Close a slice all of whose connections were delivered, and announce its parts."""
        counts, pending = held.slice_row.counts, len(held.slice_row.backlog.connections)
        slice_row = held.slice_row._replace(unannounced=())
        done = replace(counts, delivered=counts.delivered + pending)
        return self.ledger.close(held._replace(slice_row=slice_row), done, (), deadline=FAR)


@pytest.fixture
def deploy() -> _Deploy:
    """Just after a deploy."""
    return _Deploy()


def test_broadcast_under_way_is_settled_after_a_deploy(deploy: _Deploy) -> None:
    """Its message finds it leased; then its slices go on, with its frame and its sums."""
    assert deploy.open() is Refusal.LEASED
    deploy.time.run(65)

    root = deploy.open()
    other = deploy.ledger.lease(*parse_slice_message(samples.SLICE_MESSAGE), until_ms=UNTIL_MS)

    assert isinstance(root, Lease)
    assert isinstance(other, Lease)
    assert {root.frame, other.frame} == {samples.FRAME["frame"]["S"]}
    assert other.slice_row.outage.rounds == 2
    deploy.finish(other)
    settled = deploy.finish(root).summary
    assert (settled.is_settled, settled.counts.targeted, settled.counts.ended) == (True, 9, 9)
    assert settled.counts.failed == 2


def test_broadcast_under_way_is_resumed_when_its_message_is_refused_today(deploy: _Deploy) -> None:
    """It goes on from its last checkpoint, whatever the limits of this release are."""
    deploy.time.run(65)
    identity = identity_of(samples.BROADCAST_MESSAGE, "m")
    assert identity is not None

    held = deploy.ledger.resume(*identity, until_ms=UNTIL_MS)

    assert isinstance(held, Lease)
    assert held.slice_row.backlog != Backlog()
    assert (held.slice_row.hops, held.slice_row.unannounced) == (3, ("2",))


def test_numbers_go_on_after_a_deploy(deploy: _Deploy) -> None:
    """The counter of the channel is where it was."""
    held = deploy.open("news-2")

    assert isinstance(held, Lease)
    assert (held.summary.seq, held.frame) == (8, "frame 8")
