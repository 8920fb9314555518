"""Numbers of streams: each is taken once, whatever happens between the requests."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from broadcasting.audience import Audience
from broadcasting.backlog import ALL_SHARDS
from broadcasting.errors import RejectedError
from broadcasting.items import key_attributes
from broadcasting.ledger import Refusal
from broadcasting.ledger_items import counter_key, entry_key, frame_key, frame_row_of, slice_key
from broadcasting.ledger_opening import NewBroadcast
from broadcasting.ledger_rows import FrameRow, Lease
from broadcasting.numbering import (
    COUNTER_LIFE_SECONDS,
    MARK_LIFE_MS,
    Counter,
    Mark,
    Number,
    mark_key,
)
from storage.errors import BusyError, ReadError, StorageError, WriteError
from storage.ledger import Ledger
from storage.stream_counters import StreamCounters
from testbed.model.fakes import FakeTime, half
from testbed.model.ledger_dynamo import LedgerDynamo, canceled, refusal

BUSY = refusal("InternalServerError", status=500)
REFUSED = refusal("AccessDeniedException")
KEY = counter_key("news")


@dataclass
class _Floor:
    time: FakeTime = field(default_factory=FakeTime)
    dynamo: LedgerDynamo = field(default_factory=LedgerDynamo)

    def __post_init__(self) -> None:
        self.dynamo.epoch_ms = lambda: self.time.epoch_ms
        self.counters = StreamCounters(self.dynamo.client, "ledger", clock=self.time.clock)

    def open(
        self,
        id_: str = "b",
        frame_of: Callable[[int], str] = "frame {}".format,
        *,
        seconds: float = 49,
    ) -> Lease | Refusal:
        """Open a broadcast to channel news, as a worker of its own does."""
        news = Audience(channel="news")
        new = NewBroadcast(id_, "d", news, frame_of, self.time.epoch_ms, 0, ALL_SHARDS)
        ledger = Ledger(
            self.dynamo.table, self.counters, clock=self.time.clock, jitter=half, replay_seconds=60
        )
        until_ms = self.time.epoch_ms + 65_000
        return ledger.open(new, until_ms=until_ms, deadline=self.time.seconds + seconds)

    def seq(self, id_: str = "b") -> int:
        held = self.open(id_)
        assert isinstance(held, Lease)
        return held.summary.seq

    @property
    def counter(self) -> Counter:
        return self.counters.begin("news")

    def frame(self, number: int) -> FrameRow:
        return frame_row_of(self.dynamo.items[frame_key("news", number)])

    def names(self, since: int = 0) -> list[str]:
        """The requests that had an effect."""
        return [name for name, _ in self.dynamo.requests[since:]]

    def keys_read(self, since: int) -> set[tuple[str, str]]:
        """The keys of single rows that were read."""
        asked = [
            request["Key"] for name, request in self.dynamo.requests[since:] if name == "GetItem"
        ]
        return {(key["pk"]["S"], key["sk"]["S"]) for key in asked}


@pytest.fixture
def floor() -> _Floor:
    """Counters on an empty table."""
    return _Floor()


def test_first_number_begins_a_counter_with_an_epoch_that_expires(floor: _Floor) -> None:
    """Two weeks after the last number a channel that is not used costs nothing."""
    taken = floor.counters.take("news", "key")

    assert taken.number == Number(1, taken.counter.epoch)
    assert taken.counter == Counter(1, taken.number.epoch, (Mark("key", 1, floor.time.epoch_ms),))
    assert len(taken.number.epoch) == 8
    expiry = floor.time.epoch_ms // 1000 + 1_209_600
    assert floor.dynamo.items[KEY]["expiresAt"] == {"N": str(expiry)}


def test_number_costs_one_write(floor: _Floor) -> None:
    """Nothing is read before it."""
    floor.counters.begin("news")
    before = len(floor.dynamo.requests)

    floor.counters.take("news", "key")

    assert floor.names(before) == ["UpdateItem"]


def test_another_number_costs_one_write(floor: _Floor) -> None:
    """As the first one does: a second request would fail."""
    floor.counters.take("news", "key")
    floor.dynamo.before = [None, BUSY]

    assert floor.counters.take_another("news", "key", 1).number.seq == 2
    assert floor.dynamo.before == [BUSY]


def test_counter_of_everyone_never_expires(floor: _Floor) -> None:
    """A week of silence must not begin its numbers anew."""
    floor.counters.take("*", "key")

    assert "expiresAt" not in floor.dynamo.items[counter_key("*")]


def test_broadcast_keeps_its_number_until_its_mark_is_removed(floor: _Floor) -> None:
    """A worker that gets the same broadcast again goes on where another died."""
    first = floor.counters.take("news", "a")
    other = floor.counters.take("news", "b")
    again = floor.counters.take("news", "a")

    floor.counters.remove_mark("news", "a", 1)
    after = floor.counters.take("news", "a")

    numbers = [taken.number.seq for taken in (first, other, again, after)]
    assert numbers == [1, 2, 1, 3]
    assert again.counter.known_until == 0


def test_mark_of_another_number_stays(floor: _Floor) -> None:
    """A worker that is late removes no mark but its own."""
    floor.counters.take("news", "a")
    floor.counters.take_another("news", "a", 1)

    floor.counters.remove_mark("news", "a", 1)
    floor.counters.remove_mark("news", "b", 2)

    assert [mark.number for mark in floor.counter.marks] == [2]


@pytest.mark.parametrize(("last", "then"), [(0, 5), (4, 5), (5, 5), (9, 9)])
def test_counter_that_was_begun_anew_goes_on_after_a_number_in_use(
    floor: _Floor, last: int, then: int
) -> None:
    """A broadcast of an earlier epoch has the number 5: clients have its frame."""
    floor.counters.begin("news")
    floor.dynamo.items[KEY]["last"] = {"N": str(last)}

    floor.counters.remove_mark("news", "a", 5)

    assert floor.counter.last == then
    assert floor.dynamo.items[KEY]["version"] == {"N": "2" if then > last else "1"}


def test_counter_that_is_gone_is_not_begun_for_a_mark(floor: _Floor) -> None:
    """The next broadcast begins it, behind the last entry."""
    floor.counters.remove_mark("news", "a", 5)

    assert KEY not in floor.dynamo.items


def test_broadcast_takes_another_number_in_place_of_its_own(floor: _Floor) -> None:
    """One mark at a time; without a mark it is a first number."""
    floor.counters.take("news", "a")

    another = floor.counters.take_another("news", "a", 1)
    late = floor.counters.take_another("news", "a", 1)
    fresh = floor.counters.take_another("news", "b", 1)

    assert [one.number.seq for one in (another, late, fresh)] == [2, 2, 3]


def test_counter_that_has_expired_goes_on_with_a_new_epoch(floor: _Floor) -> None:
    """Whether or not DynamoDB has deleted it: its marks are gone, and no number comes again."""
    old = floor.counters.take("news", "a")
    floor.time.run(COUNTER_LIFE_SECONDS)

    new = floor.counters.take("news", "a")

    assert (new.number.seq, new.counter.marks[0].number) == (2, 2)
    assert len(new.counter.marks) == 1
    assert new.number.epoch != old.number.epoch


def test_counter_that_was_lost_begins_with_its_newest_entry(floor: _Floor) -> None:
    """One row is read, strongly consistently: an older number would be given again."""
    for id_ in "abc":
        floor.open(id_)
    del floor.dynamo.items[KEY]

    assert floor.counters.begin("news").last == 3
    (query,) = [request for name, request in floor.dynamo.requests[-3:] if name == "Query"]
    assert (query["ConsistentRead"], query["Limit"]) == (True, 1)


def test_counter_that_was_lost_goes_on_behind_the_last_entry(floor: _Floor) -> None:
    """The frames of its broadcasts are there: none is written over."""
    assert [floor.seq(id_) for id_ in "abc"] == [1, 2, 3]
    epoch = floor.counter.epoch
    del floor.dynamo.items[KEY]

    assert floor.seq("d") == 4
    assert floor.counter.epoch != epoch
    assert floor.frame(3).epoch == epoch


def test_counter_of_an_earlier_release_gets_an_epoch_and_keeps_its_number(floor: _Floor) -> None:
    """It has neither an epoch nor an end."""
    floor.dynamo.items[counter_key("*")] = {"last": {"N": "7"}, "version": {"N": "3"}}

    begun = floor.counters.begin("*")
    taken = floor.counters.take("*", "a")

    assert (begun.last, begun.epoch) == (7, taken.number.epoch)
    assert taken.number.seq == 8
    assert floor.dynamo.items[counter_key("*")]["version"] == {"N": "4"}


@pytest.mark.parametrize("stream", ["*", "news"])
@pytest.mark.parametrize(
    ("mark", "number"), [({}, 8), ({"number:a": {"N": "5"}, "at:a": {"N": "1"}}, 5)]
)
def test_number_is_of_the_epoch_that_its_counter_was_given(
    floor: _Floor, stream: str, mark: dict[str, Any], number: int
) -> None:
    """The row has no epoch before, and perhaps a mark: the broadcast keeps its number."""
    floor.dynamo.items[counter_key(stream)] = {"last": {"N": "7"}, "version": {"N": "3"}} | mark

    taken = floor.counters.take(stream, "a")

    assert taken.number == Number(number, floor.counters.begin(stream).epoch)
    assert len(taken.number.epoch) == 8


def test_counter_is_begun_once_when_others_begin_it_too(floor: _Floor) -> None:
    """The one that comes second finds the first one's epoch."""
    others: list[Counter] = []
    floor.dynamo.before_write = lambda: others.append(floor.counters.begin("news"))

    mine = floor.counters.begin("news")

    assert [mine] == others


def test_counter_that_changes_each_time_counts_as_busy(floor: _Floor) -> None:
    """It is tried a few times, and then later."""
    floor.dynamo.before = [None, refusal("ConditionalCheckFailedException")] * 5
    floor.dynamo.items[counter_key("*")] = {"last": {"N": "7"}}

    with pytest.raises(BusyError, match="counter of \\* not begun"):
        floor.counters.begin("*")


def test_number_is_not_taken_when_the_counter_is_lost_each_time(floor: _Floor) -> None:
    """An operator who deletes rows meanwhile: it is tried later."""
    floor.dynamo.forget = KEY

    with pytest.raises(BusyError, match="counter of news not found"):
        floor.counters.take("news", "a")


@pytest.mark.parametrize(
    ("errors", "kind"),
    [
        ([BUSY], BusyError),
        ([refusal("AccessDeniedException")], WriteError),
        ([EndpointConnectionError(endpoint_url="https://dynamodb.invalid")], BusyError),
        ([refusal("ConditionalCheckFailedException"), BUSY], BusyError),
        ([refusal("ConditionalCheckFailedException"), REFUSED], ReadError),
        ([refusal("ConditionalCheckFailedException"), None, BUSY], BusyError),
        ([refusal("ConditionalCheckFailedException"), None, REFUSED], ReadError),
        ([refusal("ConditionalCheckFailedException"), None, None, BUSY], BusyError),
    ],
)
def test_number_is_not_taken_when_dynamodb_refuses(
    floor: _Floor, errors: list[Exception | None], kind: type[StorageError]
) -> None:
    """At every request, on the way of a counter that is to be begun, too."""
    floor.dynamo.before = errors

    with pytest.raises(kind):
        floor.counters.take("news", "a")


def test_opening_takes_a_number_writes_rows_and_removes_the_mark(floor: _Floor) -> None:
    """In this order: a number without a mark has its rows."""
    floor.counters.begin("news")
    before = len(floor.dynamo.requests)

    held = floor.open()

    assert floor.names(before) == ["GetItem", "UpdateItem", "TransactWriteItems", "UpdateItem"]
    assert isinstance(held, Lease)
    assert floor.counter == Counter(1, floor.frame(1).epoch)


@pytest.mark.parametrize("lost", [[BUSY], [BUSY, BUSY, BUSY]])
def test_opening_keeps_its_number_when_the_answer_was_lost(
    floor: _Floor, lost: list[Exception]
) -> None:
    """Of the counter, of the rows, and of the mark's removal."""
    floor.counters.begin("news")
    floor.dynamo.after = lost

    assert floor.seq() == 1
    assert floor.seq("next") == 2


def test_worker_that_comes_after_a_death_takes_the_same_number(floor: _Floor) -> None:
    """It died between the number and the rows; others have gone on."""
    floor.counters.take("news", mark_key("b"))

    assert floor.seq("other") == 2
    assert floor.counter.known_until == 0
    assert floor.seq("b") == 1
    assert floor.counter == Counter(2, floor.frame(1).epoch)


def test_worker_that_comes_after_a_death_removes_the_mark(floor: _Floor) -> None:
    """It died between the rows and the mark's removal."""
    floor.counters.begin("news")
    floor.dynamo.before = [*[None] * 3, refusal("AccessDeniedException")]
    assert floor.seq() == 1
    assert floor.counter.known_until == 0
    floor.time.run(65)

    assert floor.seq() == 1
    assert floor.counter.known_until == 1


def test_opening_gives_its_number_back_when_another_worker_has_opened_it(floor: _Floor) -> None:
    """The other was done between our look at the summary and our number: it gets a void row."""
    floor.counters.begin("news")
    other = _Floor(floor.time, floor.dynamo)
    floor.dynamo.before_write = other.open

    assert floor.open() is Refusal.LEASED
    assert floor.frame(2).is_void
    assert not floor.frame(1).is_void
    assert (floor.counter.last, floor.counter.known_until) == (2, 2)


def test_number_is_given_back_when_its_id_belongs_to_a_broadcast_of_another_stream(
    floor: _Floor,
) -> None:
    """Also when that one has the same number there: it is not ours, and ours is of no use."""
    floor.counters.begin("news")
    everyones = NewBroadcast(
        "b", "other", Audience(), "{}".format, floor.time.epoch_ms, 0, ALL_SHARDS
    )
    ledger = Ledger(floor.dynamo.table, floor.counters, clock=floor.time.clock, jitter=half)
    floor.dynamo.before_transaction = lambda: ledger.open(
        everyones, until_ms=floor.time.epoch_ms, deadline=floor.time.seconds
    )

    with pytest.raises(RejectedError, match="belongs to another broadcast"):
        floor.open()

    assert floor.frame(1).is_void
    assert floor.counter == Counter(1, floor.frame(1).epoch)


def test_number_is_not_taken_for_a_frame_that_is_too_large(floor: _Floor) -> None:
    """It is looked at before."""

    def too_large(_: int) -> str:
        raise RejectedError("too large")

    with pytest.raises(RejectedError, match="too large"):
        floor.open(frame_of=too_large)

    assert KEY not in floor.dynamo.items


def test_number_gets_a_void_row_when_its_digits_make_the_frame_too_large(floor: _Floor) -> None:
    """9 fits, and 10 does not: the numbers go on without a hole."""
    for number in range(9):
        floor.open(f"other-{number}")

    def fits_until_9(seq: int) -> str:
        if seq > 9:
            raise RejectedError("too large")
        return "frame"

    with pytest.raises(RejectedError, match="too large"):
        floor.open("b", fits_until_9)

    assert floor.frame(10).is_void
    assert floor.counter == Counter(10, floor.frame(1).epoch)
    assert floor.seq("next") == 11


def test_mark_that_is_five_minutes_old_is_closed_by_the_next_opening(floor: _Floor) -> None:
    """Its broadcast was given up: nobody waits for its number any more."""
    floor.counters.take("news", mark_key("dead"))
    floor.time.run(MARK_LIFE_MS / 1000 + 1)

    assert floor.seq("next") == 2
    assert floor.frame(1).is_void
    assert floor.frame(1).replay_until_ms == floor.time.epoch_ms + 60_000
    assert floor.counter == Counter(2, floor.frame(1).epoch)


def test_mark_that_is_old_is_removed_when_its_rows_are_there(floor: _Floor) -> None:
    """Its worker died after it had written them: nothing is written over."""
    floor.counters.begin("news")
    floor.dynamo.before = [*[None] * 3, BUSY]
    floor.open("dead")
    assert floor.counter.known_until == 0
    floor.time.run(MARK_LIFE_MS / 1000 + 1)

    assert floor.seq("next") == 2
    assert floor.frame(1).frame == "frame 1"
    assert floor.counter.known_until == 2


def test_old_mark_of_a_frame_that_was_deleted_gets_no_void_row(floor: _Floor) -> None:
    """A void row says that no broadcast has the number; this one has, and its frame is lost."""
    floor.counters.begin("news")
    floor.dynamo.before = [*[None] * 3, BUSY]
    floor.open("dead")
    del floor.dynamo.items[frame_key("news", 1)]
    floor.time.run(MARK_LIFE_MS / 1000 + 1)

    assert floor.seq("next") == 2
    assert frame_key("news", 1) not in floor.dynamo.items
    assert floor.counter.known_until == 2


def test_opening_closes_some_of_many_old_marks_the_lowest_first(floor: _Floor) -> None:
    """It is not held up by what others have left: the next ones close the remainder."""
    floor.counters.begin("news")
    for number in range(60):
        floor.counters.take("news", mark_key(f"dead {number}"))
    floor.time.run(MARK_LIFE_MS / 1000 + 1)

    found = []
    for number in range(3):
        floor.seq(f"next {number}")
        found.append(floor.counter.known_until)

    assert found == [25, 50, 63]


def test_opening_closes_no_old_mark_once_its_time_is_over(floor: _Floor) -> None:
    """The number is taken, and the broadcast opened: others close the mark."""
    floor.counters.begin("news")
    floor.counters.take("news", mark_key("dead"))
    floor.time.run(MARK_LIFE_MS / 1000 + 1)

    with suppress(BusyError):
        floor.open("next", seconds=-1)

    assert frame_key("news", 1) not in floor.dynamo.items


def test_number_is_given_back_when_a_leftover_row_cannot_be_written_over(floor: _Floor) -> None:
    """The message is rejected, and its number hides none of those that follow."""
    floor.counters.begin("news")
    key = slice_key("b", "0")
    floor.dynamo.items[key] = {**key_attributes(key), "id": {"S": "0"}}

    with pytest.raises(RejectedError):
        floor.open()

    assert floor.frame(1).is_void
    assert floor.counter.known_until == 1


@pytest.mark.parametrize("before", [0, 2])
def test_counter_that_was_lost_during_an_opening_is_not_behind_its_number(
    floor: _Floor, before: int
) -> None:
    """Clients that are given the frame would be ahead of it, the others would miss nothing."""
    for number in range(before):
        floor.seq(f"before {number}")
    floor.counters.begin("news")

    def lose() -> None:
        del floor.dynamo.items[KEY]
        floor.counters.begin("news")

    floor.dynamo.before_transaction = lose
    seq = floor.seq()

    assert seq == before + 1
    assert floor.counter == Counter(seq, floor.counter.epoch)
    assert floor.frame(seq).epoch != floor.counter.epoch


def test_worker_that_is_later_than_five_minutes_takes_a_new_number(floor: _Floor) -> None:
    """Its own was closed: clients have been told that there is nothing."""
    floor.counters.take("news", mark_key("late"))
    floor.time.run(MARK_LIFE_MS / 1000 + 1)
    floor.open("next")

    assert floor.seq("late") == 3
    assert floor.frame(1).is_void
    assert floor.counter == Counter(3, floor.frame(1).epoch)


def test_worker_whose_number_was_closed_under_its_hands_takes_a_new_one(floor: _Floor) -> None:
    """The void row came between its number and its rows."""
    floor.counters.begin("news")
    row = FrameRow("news", 1, "", epoch="k", replay_until_ms=1)
    floor.dynamo.before_transaction = lambda: floor.dynamo.table.write(row)

    assert floor.seq() == 2
    assert floor.frame(1).is_void
    assert floor.counter.known_until == 2


def test_closing_waits_when_dynamodb_is_busy(floor: _Floor) -> None:
    """The opening goes on; the mark stays for the next one."""
    floor.counters.take("news", mark_key("dead"))
    floor.time.run(MARK_LIFE_MS / 1000 + 1)
    # read, take, a look for the entry; the void row and a look for it
    floor.dynamo.before = [None, None, None, BUSY, BUSY]

    assert floor.seq("next") == 2
    assert floor.counter.known_until == 0
    assert floor.seq("after") == 3
    assert floor.counter.known_until == 3


@pytest.mark.parametrize("reasons", [("TransactionConflict",), ("ThrottlingError", "None")])
def test_opening_keeps_its_number_while_the_table_is_busy(
    floor: _Floor, reasons: tuple[str, ...]
) -> None:
    """It is not taken anew for each try, and no other broadcast is looked for in its place."""
    floor.counters.begin("news")
    before = len(floor.dynamo.requests)
    floor.dynamo.before = [None, None, canceled(*reasons)]

    assert floor.seq() == 1
    assert entry_key("news", 1) not in floor.keys_read(before)
    assert floor.counter == Counter(1, floor.frame(1).epoch)


def test_opening_does_not_give_back_the_number_that_its_broadcast_has(floor: _Floor) -> None:
    """The answer was lost, and so was a look for the rows: it finds them when it begins again."""
    floor.counters.begin("news")
    before = len(floor.dynamo.requests)

    def lose_answer() -> None:
        floor.dynamo.after, floor.dynamo.before = [BUSY], [None, REFUSED]

    floor.dynamo.before_transaction = lose_answer

    assert floor.seq() == 1
    assert entry_key("news", 1) not in floor.keys_read(before)
    assert floor.counter == Counter(1, floor.frame(1).epoch)


def test_opening_is_given_up_at_the_deadline_and_goes_on_with_its_number(floor: _Floor) -> None:
    """The message comes again, and nothing is left out."""
    floor.counters.begin("news")
    floor.dynamo.before = [None, None, *[BUSY] * 20]

    with pytest.raises(BusyError):
        floor.open(seconds=0)
    floor.dynamo.before = []

    assert floor.seq("other") == 2
    assert floor.seq() == 1
    assert entry_key("news", 1) in floor.dynamo.items
