"""How long frames are kept: when no client may ask for them, as long as their broadcasts take."""

from dataclasses import dataclass, field

import pytest

from broadcasting.audience import Audience
from broadcasting.backlog import ALL_SHARDS, Backlog
from broadcasting.ledger import Refusal
from broadcasting.ledger_items import frame_key
from broadcasting.ledger_opening import NewBroadcast
from broadcasting.ledger_rows import ROOT, Lease
from broadcasting.receipt import Receipt
from storage.ledger import Ledger
from testbed.model.fakes import FAR, NOW_MS, FakeTime, half
from testbed.model.ledger_dynamo import LedgerDynamo, refusal

FRAME = frame_key("*", 1)
NEW = NewBroadcast("b", "d", Audience(), "frame {}".format, NOW_MS, 0, ALL_SHARDS)
REFUSED = refusal("AccessDeniedException")


@dataclass
class _Floor:
    replay_seconds: int = 0
    time: FakeTime = field(default_factory=FakeTime)
    dynamo: LedgerDynamo = field(default_factory=LedgerDynamo)

    def __post_init__(self) -> None:
        self.dynamo.epoch_ms = lambda: self.time.epoch_ms
        self.ledger = Ledger(
            self.dynamo.table,
            self.dynamo.counters,
            clock=self.time.clock,
            jitter=half,
            replay_seconds=self.replay_seconds,
        )

    def open(self) -> Lease | Refusal:
        return self.ledger.open(NEW, until_ms=self.time.epoch_ms + 65_000, deadline=FAR)

    def settle(self) -> None:
        held = self.open()
        assert isinstance(held, Lease)
        self.close(held)

    def close(self, held: Lease) -> Lease:
        return self.ledger.close(held, Receipt(1, delivered=1), (), deadline=FAR)

    @property
    def has_frame(self) -> bool:
        return FRAME in self.dynamo.items


@pytest.mark.parametrize(("replay_seconds", "is_kept"), [(0, False), (1, True)])
def test_frame_is_deleted_when_its_broadcast_settles_and_no_client_may_ask_for_it(
    replay_seconds: int, *, is_kept: bool
) -> None:
    """Otherwise it stays until it expires."""
    floor = _Floor(replay_seconds)

    floor.settle()

    assert floor.has_frame is is_kept


def test_frame_is_kept_until_the_last_slice_is_closed() -> None:
    """The others still post it."""
    floor = _Floor()
    held = floor.open()
    assert isinstance(held, Lease)
    part = Backlog(ALL_SHARDS.shards[:1])
    held = floor.ledger.split(held, Backlog(), Receipt(), (), (part,), deadline=FAR)
    held = held._replace(slice_row=held.slice_row._replace(unannounced=()))

    floor.close(held)
    before = floor.has_frame
    other = floor.ledger.lease("b", "1", until_ms=NOW_MS + 65_000)
    assert isinstance(other, Lease)
    floor.close(other)

    assert (before, other.frame, floor.has_frame) == (True, "frame 1", False)


def test_frame_is_deleted_by_the_next_message_when_its_worker_died() -> None:
    """The broadcast is closed, and its message comes again; so do the messages of its slices."""
    for again in ("message", "slice"):
        floor = _Floor()
        floor.dynamo.delete_errors = [REFUSED]
        floor.settle()
        was_there = floor.has_frame

        found = (
            floor.open()
            if again == "message"
            else floor.ledger.lease("b", ROOT, until_ms=NOW_MS + 65_000)
        )

        assert (was_there, found, floor.has_frame) == (True, Refusal.CLOSED, False)


def test_frame_is_left_to_its_expiry_when_it_cannot_be_deleted() -> None:
    """No account depends on it."""
    floor = _Floor()
    floor.dynamo.delete_errors = [REFUSED, REFUSED]

    floor.settle()
    found = floor.open()
    floor.dynamo.before = [None, REFUSED]  # the summary is read again to know its number
    again = floor.open()

    assert found is again is Refusal.CLOSED
    assert floor.has_frame


def test_frame_is_kept_when_its_broadcast_is_open_elsewhere() -> None:
    """A message that comes twice deletes nothing."""
    floor = _Floor()
    floor.open()

    assert floor.open() is Refusal.LEASED
    assert floor.has_frame
