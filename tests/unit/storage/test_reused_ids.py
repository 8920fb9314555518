"""An id that is used again after 7 days, whatever DynamoDB has deleted of its rows by then."""

from dataclasses import dataclass, field

import pytest

from broadcasting.audience import Audience
from broadcasting.backlog import ALL_SHARDS, Backlog, ShardCursor
from broadcasting.connection import Connection
from broadcasting.errors import RejectedError
from broadcasting.ledger import LeaseLostError, Refusal
from broadcasting.ledger_items import LIFE_SECONDS
from broadcasting.ledger_opening import NewBroadcast
from broadcasting.ledger_rows import ROOT, FailedConnection, Lease
from broadcasting.receipt import Receipt
from storage.ledger import Ledger
from testbed.model.fakes import FAR, NOW_MS, FakeTime, half
from testbed.model.ledger_dynamo import LedgerDynamo

FAILED = (FailedConnection("c", "413"),)
STRAGGLERS = Backlog(connections=(Connection("a", 0, 1), Connection("b", 0, 1)))
PART = Backlog((ShardCursor("all#1"),))


@dataclass
class _Week:
    """A ledger whose broadcast "weekly" was sent a week ago, with every kind of row."""

    time: FakeTime = field(default_factory=FakeTime)
    dynamo: LedgerDynamo = field(default_factory=LedgerDynamo)

    def __post_init__(self) -> None:
        self.dynamo.epoch_ms = lambda: self.time.epoch_ms
        self.ledger = Ledger(
            self.dynamo.table,
            self.dynamo.counters,
            clock=self.time.clock,
            jitter=half,
            replay_seconds=60,
        )
        assert self.send().summary.is_settled

    def open(self, digest: str = "d") -> Lease | Refusal:
        opening = NewBroadcast(
            "weekly", digest, Audience(), "frame {}".format, NOW_MS, 0, ALL_SHARDS
        )
        until_ms = self.time.epoch_ms + 65_000
        return self.ledger.open(opening, until_ms=until_ms, deadline=self.time.seconds + 49)

    def send(self, digest: str = "d") -> Lease:
        """Open, checkpoint, split and close it, with connections that fail."""
        held = self.open(digest)
        assert isinstance(held, Lease)
        held = self.ledger.checkpoint(
            held, Backlog((ShardCursor("all#2"),)), Receipt(1, failed=1), FAILED
        )
        held = self.ledger.split(
            held, Backlog(), Receipt(3, failed=1), (), (STRAGGLERS, PART), deadline=FAR
        )
        held = held._replace(slice_row=held.slice_row._replace(unannounced=()))
        self.ledger.close(held, held.slice_row.counts, (), deadline=FAR)
        for slice_id, counts in (("1", Receipt(2, failed=2)), ("2", Receipt(1, gone=1))):
            part = self.ledger.lease("weekly", slice_id, until_ms=self.time.epoch_ms + 65_000)
            assert isinstance(part, Lease)
            failed = FAILED * counts.failed
            last = self.ledger.close(part, counts, failed, deadline=FAR)
        return last

    def keep(self, *left: str) -> None:
        """Let a week and an hour pass; have DynamoDB delete the broadcast's rows but for some."""
        self.time.run(LIFE_SECONDS + 3_600)
        mine = [key for key in self.dynamo.items if key[0] == "broadcast#weekly"]
        for key in mine:
            if key[1] not in left:
                del self.dynamo.items[key]
        assert len([key for key in self.dynamo.items if key[0] == mine[0][0]]) == len(left)


@pytest.fixture
def week() -> _Week:
    """The ledger a week ago."""
    return _Week()


ALL = ("summary", "slice#0", "slice#1", "slice#2", "failed#0#000000", "failed#1#000000")
ROWS_LEFT_BEHIND = pytest.mark.parametrize(
    "left",
    [
        ALL,
        ALL[1:],
        ("slice#0",),
        ("summary",),
        ("summary", "slice#1"),
        ("failed#0#000000",),
        ("slice#1",),
        (),
    ],
    ids=" and ".join,
)


@ROWS_LEFT_BEHIND
@pytest.mark.parametrize("digest", ["d", "another text"])
def test_broadcast_of_last_week_is_a_new_one_whatever_is_left_of_it(
    week: _Week, left: tuple[str, ...], digest: str
) -> None:
    """Opened, checkpointed, split and settled, once, and without waiting for anything."""
    week.keep(*left)
    before = week.time.seconds

    settled = week.send(digest)

    assert settled.summary.is_settled
    assert (settled.summary.seq, settled.summary.digest) == (2, digest)
    assert settled.summary.counts == Receipt(4, failed=3, gone=1)
    assert week.time.seconds == before
    assert all(item["version"]["N"] != "0" for item in week.dynamo.items.values())


def test_broadcast_is_rejected_when_a_row_of_the_last_has_no_version(week: _Week) -> None:
    """No write can be conditional on such a row: the message becomes a dead letter, which says so.

    A person may have written it by hand.
    """
    week.keep("slice#0")
    row = week.dynamo.items["broadcast#weekly", "slice#0"]
    row["expiresAt"] = {"N": str(week.time.epoch_ms // 1000 + 3_600)}
    del row["version"]

    with pytest.raises(RejectedError, match="its row in the ledger cannot be read: KeyError"):
        week.open()


@pytest.mark.parametrize(
    "fresh",
    [
        ("slice#0",),
        ("slice#1", "slice#2"),
        ("failed#0#000000",),
        ("failed#1#000000",),
        ALL[1:],
    ],
    ids=" and ".join,
)
def test_broadcast_is_a_new_one_when_rows_of_the_last_outlive_its_summary(
    week: _Week, fresh: tuple[str, ...]
) -> None:
    """Slices that waited for the end of an outage were written hours after the summary."""
    week.keep(*fresh)
    for (pk, _), item in week.dynamo.items.items():
        if pk == "broadcast#weekly":
            item["expiresAt"] = {"N": str(week.time.epoch_ms // 1000 + 3_600)}

    settled = week.send()

    assert (settled.summary.is_settled, settled.summary.seq) == (True, 2)
    assert settled.summary.counts == Receipt(4, failed=3, gone=1)


def test_last_owner_of_a_slice_has_lost_it_when_its_broadcast_is_sent_again(week: _Week) -> None:
    """A worker that comes back after a week writes nothing into the new account."""
    week.keep()
    old = week.open()
    assert isinstance(old, Lease)
    root = week.dynamo.items["broadcast#weekly", "slice#0"]
    week.time.run(LIFE_SECONDS)
    root["expiresAt"] = {"N": str(week.time.epoch_ms // 1000 + 3_600)}

    new = week.open()

    assert isinstance(new, Lease)
    assert (new.summary.seq, new.slice_row.version) == (3, 2)
    with pytest.raises(LeaseLostError):
        week.ledger.close(old, Receipt(), (), deadline=FAR)


@ROWS_LEFT_BEHIND
def test_broadcast_of_last_week_is_not_known_whatever_is_left_of_it(
    week: _Week, left: tuple[str, ...]
) -> None:
    """A broadcast that has expired is not resumed."""
    week.keep(*left)

    assert week.ledger.resume("weekly", "d", until_ms=week.time.epoch_ms + 1) is None


def test_broadcast_is_the_same_until_its_week_is_over(week: _Week) -> None:
    """`id` makes a broadcast idempotent for 7 days."""
    week.time.run(LIFE_SECONDS - 1)

    assert week.open() is Refusal.CLOSED


def test_numbers_of_a_channel_go_on_after_a_week(week: _Week) -> None:
    """A counter never expires, and the frame of a number is never another's."""
    week.keep()

    held = week.open()

    assert isinstance(held, Lease)
    assert (held.slice_row.id, held.summary.seq, held.frame) == (ROOT, 2, "frame 2")
