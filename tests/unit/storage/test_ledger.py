"""The ledger: every write is made from what was read, or not at all."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from broadcasting.audience import Audience
from broadcasting.backlog import ALL_SHARDS, Backlog, ShardCursor
from broadcasting.connection import Connection
from broadcasting.errors import GaveUpError, RejectedError
from broadcasting.ledger import CLOCK_SLACK_SECONDS, MAX_HOPS, LeaseLostError, LedgerError, Refusal
from broadcasting.ledger_items import (
    frame_key,
    key_of,
    slice_key,
    slice_of,
    summary_key,
    to_item,
)
from broadcasting.ledger_opening import NewBroadcast
from broadcasting.ledger_rows import ROOT, FailedConnection, Lease, Outage, SliceRow
from broadcasting.receipt import Receipt
from storage.errors import BusyError, StorageError, WriteError
from storage.ledger import Ledger
from testbed.model.fakes import FAR, NOW_MS, FakeLedgerTable, FakeTime, Fault, half
from testbed.model.ledger_dynamo import counters_of

UNTIL_MS = NOW_MS + 65_000
MET_THREE = Receipt(3, delivered=2, failed=1)
FAILED = (FailedConnection("c", "413 too large"),)
PART = Backlog((ShardCursor("all#1"),))
STRAGGLERS = Backlog(connections=(Connection("a", 0, 1), Connection("b", 0, 1)))


@dataclass
class _Floor:
    table: FakeLedgerTable = field(default_factory=FakeLedgerTable)
    time: FakeTime = field(default_factory=FakeTime)

    @property
    def ledger(self) -> Ledger:
        return Ledger(
            self.table.table,
            counters_of(self.table),
            clock=self.time.clock,
            jitter=half,
            replay_seconds=60,
        )

    def open(
        self, id_: str = "b", digest: str = "d", frame_of: Callable[[int], str] = "frame {}".format
    ) -> Lease | Refusal:
        opening = NewBroadcast(id_, digest, Audience(), frame_of, NOW_MS, 0, ALL_SHARDS)
        until_ms = self.time.epoch_ms + 65_000
        return self.ledger.open(opening, until_ms=until_ms, deadline=self.time.seconds + 49)

    def opened(self, id_: str = "b") -> Lease:
        held = self.open(id_)
        assert isinstance(held, Lease)
        return held

    def lease(self, slice_id: str = ROOT, *, anew: bool = False) -> Lease | Refusal:
        until_ms = self.time.epoch_ms + 65_000
        return self.ledger.lease("b", slice_id, until_ms=until_ms, anew=anew)

    def leased(self, slice_id: str = ROOT) -> Lease:
        held = self.lease(slice_id)
        assert isinstance(held, Lease)
        return held

    def slice_row(self, slice_id: str = ROOT) -> SliceRow:
        return slice_of(self.table.items[slice_key("b", slice_id)])

    def put(self, slice_row: SliceRow) -> None:
        """Have a slice as it is, at the version that it says."""
        self.table.items[key_of(slice_row)] = to_item(slice_row)


@pytest.fixture
def floor() -> _Floor:
    """A ledger on an empty table."""
    return _Floor()


def test_open_writes_summary_leased_slice_counter_entry_and_frame_at_once(floor: _Floor) -> None:
    """One transaction; what is held is what is in the table."""
    held = floor.opened()

    (rows,) = floor.table.writes
    assert [key_of(row)[1] for row in rows] == [
        "summary",
        "slice#0",
        "seq#000000000001",
        "frame#000000000001",
    ]
    assert held == Lease(floor.table.summary("b"), floor.slice_row(), "frame 1")
    assert (held.summary.seq, held.summary.frame, held.slice_row.hops) == (1, "", 1)
    assert floor.lease() is Refusal.LEASED


def test_open_counts_up_without_gaps(floor: _Floor) -> None:
    """Each broadcast of a channel has the next number."""
    assert [floor.opened(id_).summary.seq for id_ in "abc"] == [1, 2, 3]


def test_open_reads_the_summary_before_it_makes_a_frame(floor: _Floor) -> None:
    """Whatever today's limits say, a broadcast that is open goes on, and is skipped in the end."""

    def too_large(_: int) -> str:
        raise RejectedError("too large")

    held = floor.opened()
    under_way = floor.open(frame_of=too_large)
    floor.time.run(65)
    again = floor.open(frame_of=too_large)
    assert isinstance(again, Lease)
    floor.ledger.close(again, Receipt(), (), deadline=FAR)

    assert under_way is Refusal.LEASED
    assert again.frame == held.frame
    assert floor.open(frame_of=too_large) is Refusal.CLOSED


@pytest.mark.parametrize("passed_ms", [0, 64_999])
def test_open_again_finds_it_leased(floor: _Floor, passed_ms: int) -> None:
    """The same message twice: it is under way."""
    floor.opened()
    floor.time.epoch_ms += passed_ms

    assert floor.open() is Refusal.LEASED


def test_open_again_goes_on_when_the_lease_has_run_out(floor: _Floor) -> None:
    """Its worker has died: the same number, the same frame, from the last checkpoint."""
    held = floor.opened()
    work = Backlog((ShardCursor("all#3", "x"),))
    floor.ledger.checkpoint(held, work, Receipt(2, delivered=2), ())
    floor.time.epoch_ms = UNTIL_MS

    again = floor.opened()

    assert again.summary == held.summary
    assert (again.slice_row.backlog, again.slice_row.counts) == (work, Receipt(2, delivered=2))
    assert (again.slice_row.hops, again.slice_row.owner != held.slice_row.owner) == (2, True)


def test_open_again_finds_it_closed(floor: _Floor) -> None:
    """A late duplicate changes nothing."""
    floor.ledger.close(floor.opened(), MET_THREE, (), deadline=FAR)
    before = dict(floor.table.items)

    assert floor.open() is Refusal.CLOSED
    assert floor.table.items == before


def test_open_is_rejected_when_the_id_is_another_broadcasts(floor: _Floor) -> None:
    """Other content under the same id: the first one's account is unharmed."""
    held = floor.opened()

    with pytest.raises(
        RejectedError, match=r"id b belongs to another broadcast, number 1 of those to everyone"
    ):
        floor.open(digest="other")
    assert floor.table.summary("b") == held.summary


@pytest.mark.parametrize("losses", [1, 3])
def test_open_holds_the_slice_when_its_answer_was_lost(floor: _Floor, losses: int) -> None:
    """It finds what it has written; nothing is opened twice."""
    floor.table.faults = [Fault.LOST] * losses

    held = floor.opened()

    assert (held.summary.seq, held.slice_row.hops, held.frame) == (1, 1, "frame 1")
    assert len(floor.table.writes) == 1


def test_open_goes_on_when_the_answer_of_the_lease_was_lost(floor: _Floor) -> None:
    """The slice of an open broadcast is its own as well."""
    floor.opened()
    floor.time.run(65)
    floor.table.faults = [Fault.LOST]

    held = floor.opened()

    assert held == Lease(floor.table.summary("b"), floor.slice_row(), "frame 1")


@pytest.mark.parametrize("fault", [Fault.BUSY, Fault.LOST])
def test_open_raises_when_dynamodb_is_busy_until_the_deadline(floor: _Floor, fault: Fault) -> None:
    """It says what and why, and when it gave up."""
    floor.table.faults = [Fault.BUSY] * 999
    floor.table.unreadable = 2 if fault is Fault.LOST else 0

    with pytest.raises(BusyError, match=r"broadcast b not opened after \d+ pauses in 49.0 s: inj"):
        floor.open()
    assert floor.time.seconds == 49


def test_open_waits_when_the_ledger_cannot_be_read(floor: _Floor) -> None:
    """Reads are throttled, too."""
    floor.table.unreadable = 5

    assert floor.opened().summary.seq == 1


def test_open_raises_at_once_when_the_write_is_refused(floor: _Floor) -> None:
    """A missing permission does not come by waiting."""
    floor.table.faults = [Fault.REFUSED]

    with pytest.raises(WriteError):
        floor.open()
    assert floor.time.seconds == 0


def test_open_passes_on_a_frame_that_is_rejected(floor: _Floor) -> None:
    """Nothing is written for a frame that is too large."""

    def too_large(_: int) -> str:
        raise RejectedError("too large")

    with pytest.raises(RejectedError, match="too large"):
        floor.open(frame_of=too_large)
    assert floor.table.items == {}


@pytest.mark.parametrize(("broadcast_id", "slice_id"), [("b", "1"), ("c", ROOT)])
def test_lease_is_rejected_when_the_ledger_does_not_know_it(
    floor: _Floor, broadcast_id: str, slice_id: str
) -> None:
    """Forged, or older than the ledger."""
    floor.opened()

    with pytest.raises(RejectedError, match=f"knows no slice {slice_id} of broadcast"):
        floor.ledger.lease(broadcast_id, slice_id, until_ms=UNTIL_MS)


def test_lease_finds_a_slice_closed_while_its_broadcast_is_open(floor: _Floor) -> None:
    """Its message came twice; the others go on."""
    held = floor.ledger.split(floor.opened(), Backlog(), Receipt(), (), (PART,), deadline=FAR)
    held = held._replace(slice_row=held.slice_row._replace(unannounced=()))
    floor.ledger.close(held, MET_THREE, (), deadline=FAR)

    assert floor.lease() is floor.open() is Refusal.CLOSED
    assert not floor.table.summary("b").is_settled


def test_lease_is_rejected_when_a_slice_comes_to_no_end(floor: _Floor) -> None:
    """A slice that was taken up 1,000 times is for a person to look at."""
    held = floor.opened()
    floor.put(held.slice_row._replace(owner="", leased_until_ms=0, hops=MAX_HOPS))

    with pytest.raises(GaveUpError, match="taken up 1000 times without coming to an end"):
        floor.lease()


def test_lease_begins_the_count_of_hops_anew_when_it_is_asked_to(floor: _Floor) -> None:
    """After a redrive the cause is repaired: the slice goes on, and its outage is over."""
    held = floor.opened()
    endless = held.slice_row._replace(owner="", leased_until_ms=0, hops=MAX_HOPS)
    floor.put(endless._replace(outage_since_ms=1, outage_rounds=9, given_up="403"))

    again = floor.lease(anew=True)

    assert isinstance(again, Lease)
    assert (again.slice_row.hops, again.slice_row.outage, again.slice_row.given_up) == (
        1,
        Outage(),
        "",
    )
    assert floor.slice_row() == again.slice_row


def test_lease_reads_the_frame_from_its_row(floor: _Floor) -> None:
    """The frame that was encoded when the broadcast was opened."""
    floor.ledger.release(floor.opened(), ALL_SHARDS, Receipt(), (), deadline=FAR)

    assert floor.leased().frame == "frame 1"


def test_lease_needs_no_frame_when_nothing_is_left_to_do(floor: _Floor) -> None:
    """A slice that could not be closed is taken up to be closed, and no more."""
    floor.ledger.release(floor.opened(), Backlog(), MET_THREE, (), deadline=FAR)
    del floor.table.items[frame_key("*", 1)]
    floor.table.reads.clear()

    held = floor.leased()

    assert held.frame == ""
    assert frame_key("*", 1) not in floor.table.reads
    assert floor.ledger.close(held, MET_THREE, (), deadline=FAR).summary.is_settled


def test_lease_is_rejected_when_the_frame_is_not_there(floor: _Floor) -> None:
    """The reason says so, and the slice is not taken up."""
    floor.ledger.release(floor.opened(), ALL_SHARDS, Receipt(), (), deadline=FAR)
    del floor.table.items[frame_key("*", 1)]
    before = floor.slice_row()

    with pytest.raises(RejectedError, match=r"no frame 1 of those to everyone: .* 7 days ago"):
        floor.lease()
    assert floor.slice_row() == before


def test_broadcast_of_an_earlier_release_is_finished(floor: _Floor) -> None:
    """Its frame is in the summary, of 128 KiB: it is kept when the summary is written again."""
    frame = "x" * 128 * 1024
    held = floor.opened()
    floor.ledger.release(held, ALL_SHARDS, Receipt(), (), deadline=FAR)
    del floor.table.items[frame_key("*", 1)]
    floor.table.items[summary_key("b")] |= {"frame": {"S": frame}}

    held = floor.leased()
    held = floor.ledger.split(held, Backlog(), Receipt(2), (), (STRAGGLERS,), deadline=FAR)
    other = floor.leased("1")

    assert (held.frame, other.frame) == (frame, frame)
    assert floor.table.summary("b").frame == frame
    held = held._replace(slice_row=held.slice_row._replace(unannounced=()))
    floor.ledger.close(held, Receipt(), (), deadline=FAR)
    assert floor.ledger.close(other, Receipt(2, gone=2), (), deadline=FAR).summary.is_settled


def test_resume_goes_on_with_a_broadcast_that_is_open(floor: _Floor) -> None:
    """Its message is refused today, but it was opened by an earlier release."""
    floor.opened()
    under_way = floor.ledger.resume("b", "d", until_ms=UNTIL_MS)
    floor.time.run(65)

    held = floor.ledger.resume("b", "d", until_ms=UNTIL_MS + 65_000)

    assert under_way is Refusal.LEASED
    assert held == Lease(floor.table.summary("b"), floor.slice_row(), "frame 1")


def test_resume_finds_a_broadcast_that_has_settled(floor: _Floor) -> None:
    """A late duplicate is skipped, also when its first slice has expired meanwhile."""
    floor.ledger.close(floor.opened(), MET_THREE, (), deadline=FAR)
    del floor.table.items[slice_key("b", ROOT)]

    assert floor.ledger.resume("b", "d", until_ms=UNTIL_MS) is Refusal.CLOSED
    assert floor.open() is Refusal.CLOSED


@pytest.mark.parametrize(("id_", "digest"), [("c", "d"), ("b", "other")])
def test_resume_is_none_when_the_ledger_does_not_know_it(
    floor: _Floor, id_: str, digest: str
) -> None:
    """Then the message is rejected as ever."""
    floor.opened()

    assert floor.ledger.resume(id_, digest, until_ms=UNTIL_MS) is None


def test_lease_raises_when_its_write_is_busy(floor: _Floor) -> None:
    """The message comes again."""
    floor.ledger.release(floor.opened(), ALL_SHARDS, Receipt(), (), deadline=FAR)
    floor.table.faults = [Fault.BUSY]

    with pytest.raises(BusyError):
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
    """Rubbish in the ledger makes a dead letter with a reason, and no connection is posted to."""
    held = floor.opened()
    floor.table.items[key_of(held.slice_row)] |= wrong

    with pytest.raises(RejectedError, match="its row in the ledger cannot be read"):
        floor.lease()


def test_lease_is_rejected_when_the_sums_of_the_row_do_not_add_up(floor: _Floor) -> None:
    """It is rejected before any connection is posted to again and again."""
    held = floor.opened()
    wrong = held.slice_row._replace(owner="", leased_until_ms=0, counts=Receipt(5))
    floor.table.items[key_of(wrong)] = to_item(wrong)

    with pytest.raises(RejectedError, match="its row is wrong: the sums do not add up"):
        floor.lease()


def test_release_keeps_a_slice_until_its_delay_is_over(floor: _Floor) -> None:
    """It is free a little before its message comes: clocks differ."""
    floor.ledger.release(floor.opened(), ALL_SHARDS, Receipt(), (), deadline=FAR, delay_seconds=10)

    assert floor.lease() is Refusal.LEASED
    floor.time.run(10 - CLOCK_SLACK_SECONDS)
    assert isinstance(floor.lease(), Lease)


def test_lease_is_refused_when_another_was_faster(floor: _Floor) -> None:
    """Two workers on one slice: one has it."""
    floor.ledger.release(floor.opened(), ALL_SHARDS, Receipt(), (), deadline=FAR)
    floor.table.meanwhile = [floor.leased]

    assert floor.lease() is Refusal.LEASED


def test_release_lets_another_go_on_at_once(floor: _Floor) -> None:
    """With the backlog, and what was counted."""
    held = floor.opened()

    floor.ledger.release(held, STRAGGLERS, Receipt(5, delivered=3), (), deadline=FAR)

    again = floor.leased()
    assert (again.slice_row.backlog, again.slice_row.counts) == (
        STRAGGLERS,
        Receipt(5, delivered=3),
    )


_Write = Callable[[Ledger, Lease], Lease]
_DEADLINE = 49.0
_WAITING_WRITES: dict[str, _Write] = {
    "release": lambda ledger, held: ledger.release(
        held, Backlog(), MET_THREE, FAILED, deadline=_DEADLINE
    ),
    "split": lambda ledger, held: ledger.split(
        held, Backlog(), MET_THREE, FAILED, (Backlog((ShardCursor("all#1"),)),), deadline=_DEADLINE
    ),
    "close": lambda ledger, held: ledger.close(held, MET_THREE, FAILED, deadline=_DEADLINE),
}
_WRITES: dict[str, _Write] = {
    "checkpoint": lambda ledger, held: ledger.checkpoint(held, Backlog(), MET_THREE, FAILED),
    **_WAITING_WRITES,
}
EACH_WRITE = pytest.mark.parametrize("write", _WRITES.values(), ids=_WRITES)
EACH_WAITING_WRITE = pytest.mark.parametrize("write", _WAITING_WRITES.values(), ids=_WAITING_WRITES)


@EACH_WRITE
def test_write_is_refused_when_the_lease_was_lost(floor: _Floor, write: _Write) -> None:
    """Another worker has taken the slice up: nothing of ours is written."""
    held = floor.opened()
    floor.time.epoch_ms = UNTIL_MS
    floor.leased()
    before = dict(floor.table.items)

    with pytest.raises(LeaseLostError, match="slice 0 of b"):
        write(floor.ledger, held)
    assert floor.table.items == before


@EACH_WAITING_WRITE
@pytest.mark.parametrize("fault", [Fault.BUSY, Fault.LOST])
@pytest.mark.parametrize("times", [1, 9])
def test_write_waits_while_dynamodb_is_busy(
    floor: _Floor, write: _Write, fault: Fault, times: int
) -> None:
    """After a canceled transaction the lease is ours; a lost answer causes no second write."""
    held = floor.opened()
    floor.table.faults = [fault] * times

    written = write(floor.ledger, held)

    assert written == Lease(floor.table.summary("b"), floor.slice_row(), "frame 1")
    assert floor.slice_row().version == 2
    assert floor.time.seconds > 0


@EACH_WAITING_WRITE
def test_write_gives_up_when_dynamodb_is_busy_until_the_deadline(
    floor: _Floor, write: _Write
) -> None:
    """The error says what was not written, and why."""
    held = floor.opened()
    floor.table.faults = [Fault.BUSY] * 1_000

    with pytest.raises(BusyError, match=r"slice 0 of b not \w+ after \d+ pauses in 49.0 s: inject"):
        write(floor.ledger, held)
    assert floor.time.seconds == _DEADLINE


@EACH_WAITING_WRITE
def test_write_is_tried_once_when_the_deadline_is_over(floor: _Floor, write: _Write) -> None:
    """The last write of an invocation."""
    held = floor.opened()
    floor.time.run(60)

    assert write(floor.ledger, held).slice_row.version == 2


def test_checkpoint_never_waits(floor: _Floor) -> None:
    """Posting goes on; the next write tells as much."""
    held = floor.opened()
    floor.table.faults = [Fault.BUSY]

    with pytest.raises(BusyError):
        _WRITES["checkpoint"](floor.ledger, held)
    assert floor.time.seconds == 0


@EACH_WRITE
def test_write_raises_at_once_when_it_is_refused(floor: _Floor, write: _Write) -> None:
    """A missing permission does not come by waiting."""
    held = floor.opened()
    floor.table.faults = [Fault.REFUSED]

    with pytest.raises(WriteError):
        write(floor.ledger, held)
    assert (floor.slice_row().version, floor.time.seconds) == (1, 0)


@EACH_WRITE
def test_write_goes_on_from_a_checkpoint_whose_answer_was_lost(
    floor: _Floor, write: _Write
) -> None:
    """It was written although its answer was lost: its failed connections are not written again."""
    held = floor.opened()
    work = Backlog((ShardCursor("all#3", "x"),))
    floor.table.faults = [Fault.LOST, None, Fault.LOST]  # the second one is a conflict at first
    for counts in (Receipt(1, failed=1), Receipt(2, delivered=1, failed=1)):
        with pytest.raises(BusyError):
            floor.ledger.checkpoint(held, work, counts, FAILED)

    written = write(floor.ledger, held)

    failed = [item["failed"]["S"] for (_, sk), item in floor.table.items.items() if "failed" in sk]
    assert written == Lease(floor.table.summary("b"), floor.slice_row(), "frame 1")
    assert "".join(failed).count("413") == 1


def test_write_is_refused_when_a_split_whose_answer_was_lost_lies_before_it(floor: _Floor) -> None:
    """The parts may be under way elsewhere: what we hold is not all ours any more."""
    held = floor.opened()
    floor.table.faults = [Fault.LOST]
    with pytest.raises(BusyError):
        floor.ledger.split(held, Backlog(), Receipt(), (), (PART,), deadline=0)

    with pytest.raises(LeaseLostError):
        floor.ledger.release(held, PART, Receipt(), (), deadline=FAR)


@EACH_WRITE
def test_write_is_refused_when_we_have_let_go_of_the_slice(floor: _Floor, write: _Write) -> None:
    """Another worker has had the slice meanwhile, and has released it, too."""
    held = floor.ledger.release(floor.opened(), ALL_SHARDS, Receipt(), (), deadline=FAR)
    floor.ledger.release(floor.leased(), ALL_SHARDS, Receipt(), (), deadline=FAR)
    before = dict(floor.table.items)

    with pytest.raises(LeaseLostError):
        write(floor.ledger, held)
    assert floor.table.items == before


def test_release_finds_a_slice_closed_when_the_answer_of_the_closing_was_lost(
    floor: _Floor,
) -> None:
    """All is accounted for; nothing is released."""
    held = floor.opened()
    floor.table.faults = [Fault.LOST]
    with pytest.raises(BusyError):
        floor.ledger.close(held, MET_THREE, FAILED, deadline=0)

    released = floor.ledger.release(held, Backlog(), MET_THREE, FAILED, deadline=FAR)

    assert released.slice_row.is_closed
    assert released.summary.is_settled


def test_split_numbers_its_parts_once_when_its_answer_was_lost(floor: _Floor) -> None:
    """Another worker has split meanwhile: the numbers that were written count."""
    held = floor.ledger.split(floor.opened(), Backlog(), Receipt(), (), (PART,), deadline=FAR)
    other = floor.leased("1")
    floor.table.faults = [Fault.LOST]
    floor.table.meanwhile = [
        lambda: None,
        lambda: floor.ledger.split(other, Backlog(), Receipt(), (), (PART,), deadline=FAR),
    ]

    held = floor.ledger.split(held, Backlog(), Receipt(), (), (PART,), deadline=FAR)

    assert held.slice_row.unannounced == ("1", "2")
    assert held.summary.slices == 4


def test_change_waits_when_the_ledger_cannot_be_read_anew(floor: _Floor) -> None:
    """Reads are throttled, too."""
    held = floor.ledger.split(floor.opened(), Backlog(), Receipt(), (), (PART,), deadline=FAR)
    held = held._replace(slice_row=held.slice_row._replace(unannounced=()))
    other = floor.leased("1")

    def close_other() -> None:
        floor.ledger.close(other, Receipt(), (), deadline=FAR)
        floor.table.unreadable = 3

    floor.table.meanwhile = [close_other]

    assert floor.ledger.close(held, MET_THREE, (), deadline=FAR).summary.is_settled


def test_release_keeps_an_outage_and_why_a_slice_was_given_up(floor: _Floor) -> None:
    """For the worker that goes on and for `crier status`; a round that counts ends it."""
    outage = Outage(NOW_MS, 3)
    held = floor.opened()

    floor.ledger.release(
        held, ALL_SHARDS, Receipt(), (), deadline=FAR, outage=outage, given_up="403 Forbidden"
    )
    released = floor.slice_row()
    floor.ledger.release(floor.leased(), ALL_SHARDS, Receipt(), (), deadline=FAR)

    assert (released.outage, released.given_up) == (outage, "403 Forbidden")
    assert (floor.slice_row().outage, floor.slice_row().given_up) == (Outage(), "")


def test_split_delays_its_parts_in_an_outage(floor: _Floor) -> None:
    """They take along what the broadcast had reached."""
    outage = Outage(NOW_MS, 1)

    floor.ledger.split(
        floor.opened(),
        Backlog(),
        Receipt(5, delivered=2, gone=1),
        (),
        (STRAGGLERS,),
        deadline=FAR,
        delay_seconds=5,
        outage=outage,
    )

    part = floor.slice_row("1")
    assert (part.outage, part.delivered_before, part.gone_before) == (outage, 2, 1)
    assert part.leased_until_ms == NOW_MS + 2_000


@EACH_WRITE
def test_write_keeps_connections_that_have_failed(floor: _Floor, write: _Write) -> None:
    """In a row of its own, with the reason, written with the account or not at all."""
    held = write(floor.ledger, floor.opened())

    item = floor.table.items["broadcast#b", "failed#0#000000"]
    assert json.loads(item["failed"]["S"]) == [list(pair) for pair in FAILED]
    assert held.slice_row.failed_rows == 1


def test_failed_rows_are_numbered(floor: _Floor) -> None:
    """No row of an earlier checkpoint is written over."""
    held = floor.ledger.checkpoint(floor.opened(), Backlog(), Receipt(1, failed=1), FAILED)

    floor.ledger.close(held, Receipt(2, failed=2), (FailedConnection("d", "413"),), deadline=FAR)

    assert {sk for _, sk in floor.table.items if "failed" in sk} == {
        "failed#0#000000",
        "failed#0#000001",
    }


def test_failed_are_written_in_rows_that_dynamodb_takes(floor: _Floor) -> None:
    """Any number may have failed since the last checkpoint, with reasons of any length."""
    reason = "413 ✓" + "x" * 300
    failed = tuple(FailedConnection(f"connection-{n:05}=", reason) for n in range(5_000))

    floor.ledger.close(floor.opened(), Receipt(5_000, failed=5_000), failed, deadline=FAR)

    rows = [
        json.loads(i["failed"]["S"]) for (_, sk), i in floor.table.items.items() if "fail" in sk
    ]
    assert sorted(id_ for row in rows for id_, _ in row) == [id_ for id_, _ in failed]


def test_split_makes_slices_for_others(floor: _Floor) -> None:
    """They are free, their messages are to be sent, and the broadcast waits for them."""
    parts = (Backlog((ShardCursor("all#1"),)), STRAGGLERS)

    held = floor.ledger.split(
        floor.opened(), Backlog(), Receipt(4, delivered=2), (), parts, deadline=FAR
    )

    assert held == Lease(floor.table.summary("b"), floor.slice_row(), "frame 1")
    assert (held.summary.open_slices, held.slice_row.unannounced) == (3, ("1", "2"))
    assert (floor.leased("1").slice_row.backlog, floor.leased("2").slice_row.backlog) == parts


def test_split_numbers_on_when_another_has_split(floor: _Floor) -> None:
    """Two owners of two slices of one broadcast: no id is given twice."""
    held = floor.ledger.split(
        floor.opened(), Backlog(), Receipt(), (), (Backlog((ShardCursor("all#1"),)),), deadline=FAR
    )
    other = floor.leased("1")
    floor.table.meanwhile = [
        lambda: floor.ledger.split(
            other, Backlog(), Receipt(), (), (Backlog((ShardCursor("all#2"),)),), deadline=FAR
        )
    ]

    held = floor.ledger.split(
        held, Backlog(), Receipt(), (), (Backlog((ShardCursor("all#3"),)),), deadline=FAR
    )

    assert held.summary.slices == 4
    assert floor.slice_row("3").backlog.shards == (ShardCursor("all#3"),)
    assert floor.slice_row("2").backlog.shards == (ShardCursor("all#2"),)


def test_close_of_the_last_slice_settles_the_broadcast(floor: _Floor) -> None:
    """With the sums of all slices."""
    held = floor.opened()
    floor.time.epoch_ms += 5

    held = floor.ledger.close(held, MET_THREE, FAILED, deadline=FAR)

    assert held.summary == floor.table.summary("b")
    assert (held.summary.settled_ms, held.summary.counts) == (NOW_MS + 5, MET_THREE)
    assert held.slice_row.is_closed


def test_two_closers_at_once_settle_once(floor: _Floor) -> None:
    """Both sums are in; the second one settles."""
    held = floor.ledger.split(
        floor.opened(), Backlog(), Receipt(2), (), (STRAGGLERS,), deadline=FAR
    )
    held = held._replace(slice_row=held.slice_row._replace(unannounced=()))
    other = floor.leased("1")
    floor.table.meanwhile = [
        lambda: floor.ledger.close(other, Receipt(2, gone=2), (), deadline=FAR)
    ]

    held = floor.ledger.close(held, MET_THREE, (), deadline=FAR)

    assert held.summary.is_settled
    assert held.summary.counts == MET_THREE + Receipt(2, gone=2)
    assert floor.table.summary("b") == held.summary


def test_close_is_refused_when_the_sums_do_not_add_up(floor: _Floor) -> None:
    """Nothing is written: the account is unharmed."""
    held = floor.opened()
    before = dict(floor.table.items)

    with pytest.raises(LedgerError, match="the sums do not add up"):
        floor.ledger.close(held, Receipt(3, delivered=2), (), deadline=FAR)
    assert floor.table.items == before


def test_unreadable_ledger_is_an_error_of_storage(floor: _Floor) -> None:
    """The message goes back to the queue."""
    floor.opened()
    floor.table.unreadable = 1

    with pytest.raises(StorageError):
        floor.lease()
