"""The ledger: every write is made from what was read, or not at all."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from broadcasting.audience import Connection
from broadcasting.counts import Counts
from broadcasting.errors import RejectedError
from broadcasting.ledger import ROOT, LeaseLostError, LedgerError, SliceRow
from broadcasting.work import ALL_SHARDS, ShardCursor, Work
from storage.errors import StorageError, WriteError
from storage.ledger import CLOCK_SLACK_SECONDS, MAX_HOPS, Lease, Ledger, Opening, Refusal
from storage.ledger_items import key_of, slice_key, slice_of, to_item
from tests.unit.lambdas.fakes import NOW_MS, FakeLedgerTable, FakeTime, Fault

UNTIL_MS = NOW_MS + 65_000
MET_THREE = Counts(3, delivered=2, failed=1)
FAILED = (("c", "413 too large"),)
STRAGGLERS = Work(connections=(Connection("a", 0, 1), Connection("b", 0, 1)))


@dataclass
class _Floor:
    table: FakeLedgerTable = field(default_factory=FakeLedgerTable)
    time: FakeTime = field(default_factory=FakeTime)

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.table.table, epoch_ms=lambda: self.time.epoch_ms)

    def open(self, id_: str = "b", digest: str = "d") -> Lease | Refusal:
        opening = Opening(id_, digest, "*", "frame {}".format, NOW_MS, 0, ALL_SHARDS)
        return self.ledger.open(opening, until_ms=UNTIL_MS)

    def opened(self, id_: str = "b") -> Lease:
        held = self.open(id_)
        assert isinstance(held, Lease)
        return held

    def lease(self, slice_id: str = ROOT) -> Lease | Refusal:
        return self.ledger.lease("b", slice_id, until_ms=self.time.epoch_ms + 65_000)

    def leased(self, slice_id: str = ROOT) -> Lease:
        held = self.lease(slice_id)
        assert isinstance(held, Lease)
        return held

    def piece(self, slice_id: str = ROOT) -> SliceRow:
        return slice_of(self.table.items[slice_key("b", slice_id)])


@pytest.fixture
def floor() -> _Floor:
    """A ledger on an empty table."""
    return _Floor()


def test_open_writes_summary_leased_slice_counter_and_recent_at_once(floor: _Floor) -> None:
    """One transaction; what is held is what is in the table."""
    held = floor.opened()

    (rows,) = floor.table.writes
    assert [key_of(row)[1] for row in rows] == [
        "summary",
        "slice#0",
        "sequence",
        "seq#000000000001",
    ]
    assert held == Lease(floor.table.summary("b"), floor.piece())
    assert (held.summary.seq, held.summary.frame, held.piece.hops) == (1, "frame 1", 1)
    assert floor.lease() is Refusal.LEASED


def test_open_counts_up_without_gaps(floor: _Floor) -> None:
    """Each broadcast of a channel has the next number."""
    assert [floor.opened(id_).summary.seq for id_ in "abc"] == [1, 2, 3]


def test_open_takes_the_next_number_when_another_was_faster(floor: _Floor) -> None:
    """Neither is lost, and no number is left out."""
    floor.table.meanwhile = [lambda: floor.opened("other")]

    held = floor.opened()

    assert (held.summary.seq, held.summary.frame) == (2, "frame 2")
    assert floor.table.summary("other").seq == 1


def test_open_gives_up_when_others_are_always_faster(floor: _Floor) -> None:
    """The message goes back to the queue."""
    ids = iter(range(1_000))

    def another() -> None:
        before, floor.table.meanwhile = floor.table.meanwhile, []
        floor.opened(f"other-{next(ids)}")
        floor.table.meanwhile = before

    floor.table.meanwhile = [another] * 50

    with pytest.raises(WriteError, match="broadcast b not opened: too many others"):
        floor.open()


@pytest.mark.parametrize("passed_ms", [0, 64_999])
def test_open_again_finds_it_leased(floor: _Floor, passed_ms: int) -> None:
    """The same message twice: it is under way."""
    floor.opened()
    floor.time.epoch_ms += passed_ms

    assert floor.open() is Refusal.LEASED


def test_open_again_goes_on_when_the_lease_has_run_out(floor: _Floor) -> None:
    """Its worker has died: the same number, the same frame, from the last checkpoint."""
    held = floor.opened()
    work = Work((ShardCursor(3, "x"),))
    floor.ledger.checkpoint(held, work, Counts(2, delivered=2), ())
    floor.time.epoch_ms = UNTIL_MS

    again = floor.opened()

    assert again.summary == held.summary
    assert (again.piece.work, again.piece.counts) == (work, Counts(2, delivered=2))
    assert (again.piece.hops, again.piece.owner != held.piece.owner) == (2, True)


def test_open_again_finds_it_closed(floor: _Floor) -> None:
    """A late duplicate changes nothing."""
    floor.ledger.close(floor.opened(), MET_THREE, ())
    before = dict(floor.table.items)

    assert floor.open() is Refusal.CLOSED
    assert floor.table.items == before


def test_open_is_rejected_when_the_id_is_another_broadcasts(floor: _Floor) -> None:
    """Other content under the same id: the first one's account is unharmed."""
    held = floor.opened()

    with pytest.raises(RejectedError, match=r"id b belongs to another broadcast, number 1 of .*\*"):
        floor.open(digest="other")
    assert floor.table.summary("b") == held.summary


def test_open_goes_on_when_its_answer_was_lost(floor: _Floor) -> None:
    """The message comes again; nothing is opened twice."""
    floor.table.faults = [Fault.LOST]

    with pytest.raises(WriteError):
        floor.open()
    floor.time.epoch_ms = UNTIL_MS
    held = floor.opened()

    assert (held.summary.seq, held.piece.hops) == (1, 2)


def test_open_passes_on_a_frame_that_is_rejected(floor: _Floor) -> None:
    """Nothing is written for a frame that is too large."""

    def too_large(_: int) -> str:
        raise RejectedError("too large")

    opening = Opening("b", "d", "*", too_large, NOW_MS, 0, ALL_SHARDS)

    with pytest.raises(RejectedError, match="too large"):
        floor.ledger.open(opening, until_ms=UNTIL_MS)
    assert floor.table.items == {}


@pytest.mark.parametrize(("broadcast_id", "slice_id"), [("b", "1"), ("c", ROOT)])
def test_lease_is_rejected_when_the_ledger_does_not_know_it(
    floor: _Floor, broadcast_id: str, slice_id: str
) -> None:
    """Forged, or older than the ledger."""
    floor.opened()

    with pytest.raises(RejectedError, match=f"knows no slice {slice_id} of broadcast"):
        floor.ledger.lease(broadcast_id, slice_id, until_ms=UNTIL_MS)


def test_lease_is_rejected_when_a_slice_comes_to_no_end(floor: _Floor) -> None:
    """Taken up 1,000 times: a person must look at it."""
    held = floor.opened()
    endless = replace(held.piece, owner="", hops=MAX_HOPS)
    floor.table.items[key_of(endless)] = to_item(endless)

    with pytest.raises(RejectedError, match="taken up 1000 times without coming to an end"):
        floor.lease()


@pytest.mark.parametrize(
    "wrong",
    [
        {"work": {"B": b"rubbish"}},
        {"work": {"B": b"[[[99,null]],[]]"}},
        {"counts": {"S": "{}}"}},
        {"counts": {"S": '{"met": 1}'}},
    ],
)
def test_lease_is_rejected_when_the_row_cannot_be_read(
    floor: _Floor, wrong: dict[str, Any]
) -> None:
    """Rubbish in the ledger is a dead letter with a reason, and nobody is posted to."""
    held = floor.opened()
    floor.table.items[key_of(held.piece)] |= wrong

    with pytest.raises(RejectedError, match="its row in the ledger cannot be read"):
        floor.lease()


def test_lease_is_rejected_when_the_sums_of_the_row_do_not_add_up(floor: _Floor) -> None:
    """Before anybody is posted to again and again."""
    held = floor.opened()
    wrong = replace(held.piece, owner="", leased_until_ms=0, counts=Counts(5))
    floor.table.items[key_of(wrong)] = to_item(wrong)

    with pytest.raises(RejectedError, match="its row is wrong: the sums do not add up"):
        floor.lease()


def test_release_keeps_a_slice_until_it_has_rested(floor: _Floor) -> None:
    """A little less long than its message does: clocks differ."""
    floor.ledger.release(floor.opened(), ALL_SHARDS, Counts(), (), rest_seconds=10)

    assert floor.lease() is Refusal.LEASED
    floor.time.run(10 - CLOCK_SLACK_SECONDS)
    assert isinstance(floor.lease(), Lease)


def test_lease_is_refused_when_another_was_faster(floor: _Floor) -> None:
    """Two workers on one slice: one has it."""
    floor.ledger.release(floor.opened(), ALL_SHARDS, Counts(), ())
    floor.table.meanwhile = [floor.leased]

    assert floor.lease() is Refusal.LEASED


def test_release_lets_another_go_on_at_once(floor: _Floor) -> None:
    """With what is left, and what was counted."""
    held = floor.opened()

    floor.ledger.release(held, STRAGGLERS, Counts(5, delivered=3), ())

    again = floor.leased()
    assert (again.piece.work, again.piece.counts) == (STRAGGLERS, Counts(5, delivered=3))


_WRITES: dict[str, Callable[[Ledger, Lease], Lease]] = {
    "checkpoint": lambda ledger, held: ledger.checkpoint(held, Work(), MET_THREE, FAILED),
    "release": lambda ledger, held: ledger.release(held, Work(), MET_THREE, FAILED),
    "split": lambda ledger, held: ledger.split(
        held, Work(), MET_THREE, FAILED, (Work((ShardCursor(1),)),)
    ),
    "close": lambda ledger, held: ledger.close(held, MET_THREE, FAILED),
}
EACH_WRITE = pytest.mark.parametrize("write", _WRITES.values(), ids=_WRITES)


@EACH_WRITE
def test_write_is_refused_when_the_lease_was_lost(
    floor: _Floor, write: Callable[[Ledger, Lease], Lease]
) -> None:
    """Somebody else has taken the slice up: nothing of ours is written."""
    held = floor.opened()
    floor.time.epoch_ms = UNTIL_MS
    floor.leased()
    before = dict(floor.table.items)

    with pytest.raises(LeaseLostError, match="slice 0 of b"):
        write(floor.ledger, held)
    assert floor.table.items == before


@EACH_WRITE
def test_write_is_made_again_when_dynamodb_was_busy(
    floor: _Floor, write: Callable[[Ledger, Lease], Lease]
) -> None:
    """A canceled transaction is no lost lease when the slice is as it was."""
    held = floor.opened()
    floor.table.faults = [Fault.CONFLICT]

    written = write(floor.ledger, held)

    assert written == Lease(floor.table.summary("b"), floor.piece())


@EACH_WRITE
def test_write_gives_up_when_dynamodb_is_always_busy(
    floor: _Floor, write: Callable[[Ledger, Lease], Lease]
) -> None:
    """The message goes back to the queue."""
    held = floor.opened()
    floor.table.faults = [Fault.CONFLICT] * 1_000

    with pytest.raises(WriteError, match="too many conflicts"):
        write(floor.ledger, held)


@EACH_WRITE
@pytest.mark.parametrize("fault", [Fault.REFUSED, Fault.LOST])
def test_write_raises_when_its_answer_is_not_known(
    floor: _Floor, write: Callable[[Ledger, Lease], Lease], fault: Fault
) -> None:
    """Whether it is written or not: whoever comes next reads it."""
    held = floor.opened()
    floor.table.faults = [fault]

    with pytest.raises(StorageError):
        write(floor.ledger, held)
    assert floor.piece().version == (2 if fault is Fault.LOST else 1)


@EACH_WRITE
def test_write_keeps_who_has_failed(floor: _Floor, write: Callable[[Ledger, Lease], Lease]) -> None:
    """In a row of its own, with the reason, written with the account or not at all."""
    held = write(floor.ledger, floor.opened())

    item = floor.table.items["broadcast#b", "failed#0#000000"]
    assert json.loads(item["failed"]["S"]) == [list(pair) for pair in FAILED]
    assert held.piece.failed_rows == 1


def test_failed_rows_are_numbered(floor: _Floor) -> None:
    """No row of an earlier checkpoint is written over."""
    held = floor.ledger.checkpoint(floor.opened(), Work(), Counts(1, failed=1), FAILED)

    floor.ledger.close(held, Counts(2, failed=2), (("d", "413"),))

    assert {sk for _, sk in floor.table.items if "failed" in sk} == {
        "failed#0#000000",
        "failed#0#000001",
    }


def test_failed_are_written_in_rows_that_dynamodb_takes(floor: _Floor) -> None:
    """However many have failed since the last checkpoint, with reasons of any length."""
    failed = tuple((f"connection-{number:05}=", "413 ✓" + "x" * 300) for number in range(5_000))

    floor.ledger.close(floor.opened(), Counts(5_000, failed=5_000), failed)

    rows = [
        json.loads(i["failed"]["S"]) for (_, sk), i in floor.table.items.items() if "fail" in sk
    ]
    assert sorted(id_ for row in rows for id_, _ in row) == [id_ for id_, _ in failed]


def test_split_makes_slices_for_others(floor: _Floor) -> None:
    """They are free, their messages are to be sent, and the broadcast waits for them."""
    parts = (Work((ShardCursor(1),)), STRAGGLERS)

    held = floor.ledger.split(floor.opened(), Work(), Counts(4, delivered=2), (), parts)

    assert held == Lease(floor.table.summary("b"), floor.piece())
    assert (held.summary.open_slices, held.piece.unannounced) == (3, ("1", "2"))
    assert (floor.leased("1").piece.work, floor.leased("2").piece.work) == parts


def test_split_numbers_on_when_another_has_split(floor: _Floor) -> None:
    """Two owners of two slices of one broadcast: no id is given twice."""
    held = floor.ledger.split(floor.opened(), Work(), Counts(), (), (Work((ShardCursor(1),)),))
    other = floor.leased("1")
    floor.table.meanwhile = [
        lambda: floor.ledger.split(other, Work(), Counts(), (), (Work((ShardCursor(2),)),))
    ]

    held = floor.ledger.split(held, Work(), Counts(), (), (Work((ShardCursor(3),)),))

    assert held.summary.slices == 4
    assert floor.piece("3").work.shards == (ShardCursor(3),)
    assert floor.piece("2").work.shards == (ShardCursor(2),)


def test_close_of_the_last_slice_settles_the_broadcast(floor: _Floor) -> None:
    """With the sums of all slices."""
    held = floor.opened()
    floor.time.epoch_ms += 5

    held = floor.ledger.close(held, MET_THREE, FAILED)

    assert held.summary == floor.table.summary("b")
    assert (held.summary.settled_ms, held.summary.counts) == (NOW_MS + 5, MET_THREE)
    assert held.piece.is_closed


def test_two_closers_at_once_settle_once(floor: _Floor) -> None:
    """Both sums are in; the second one settles."""
    held = floor.ledger.split(floor.opened(), Work(), Counts(2), (), (STRAGGLERS,))
    held = held._replace(piece=replace(held.piece, unannounced=()))
    other = floor.leased("1")
    floor.table.meanwhile = [lambda: floor.ledger.close(other, Counts(2, gone=2), ())]

    held = floor.ledger.close(held, MET_THREE, ())

    assert held.summary.is_settled
    assert held.summary.counts == MET_THREE + Counts(2, gone=2)
    assert floor.table.summary("b") == held.summary


def test_close_is_refused_when_the_sums_do_not_add_up(floor: _Floor) -> None:
    """Nothing is written: the account is unharmed."""
    held = floor.opened()
    before = dict(floor.table.items)

    with pytest.raises(LedgerError, match="the sums do not add up"):
        floor.ledger.close(held, Counts(3, delivered=2), ())
    assert floor.table.items == before


def test_unreadable_ledger_is_an_error_of_storage(floor: _Floor) -> None:
    """The message goes back to the queue."""
    floor.opened()
    floor.table.unreadable = 1

    with pytest.raises(StorageError):
        floor.lease()
