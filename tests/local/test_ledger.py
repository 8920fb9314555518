"""The ledger against the local AWS: real conditional writes and transactions."""

import json
import random
import secrets
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from botocore.config import Config
from botocore.exceptions import ReadTimeoutError

from broadcasting.audience import Audience
from broadcasting.backlog import ALL_SHARDS, Backlog, ShardCursor
from broadcasting.clock import Clock
from broadcasting.connection import Connection
from broadcasting.errors import RejectedError
from broadcasting.frame import MAX_FRAME_BYTES
from broadcasting.ledger import LeaseLostError, Refusal
from broadcasting.ledger_items import (
    frame_key,
    frame_row_of,
    slice_key,
    slice_of,
    summary_key,
    summary_of,
)
from broadcasting.ledger_opening import NewBroadcast
from broadcasting.ledger_rows import ROOT, FailedConnection, FrameRow, Lease
from broadcasting.receipt import Receipt
from crier.deployed.deployment import Deployment
from storage.errors import WriteError
from storage.ledger import Ledger
from storage.ledger_table import LedgerTable
from storage.stream_counters import StreamCounters

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

FAILED = (FailedConnection("c ✓", "413 too large"),)
STRAGGLERS = Backlog(connections=(Connection("a", 0, 1), Connection("b", 0, 1)))
PART = Backlog((ShardCursor("all#1", "x"),))


class _Book:
    """A channel of its own in the deployed table, with broadcasts whose ids no other test has."""

    def __init__(self, client: "DynamoDBClient", table_name: str) -> None:
        self.name = secrets.token_hex(6)
        self.now_ms = int(time.time() * 1000)
        self.client = client
        self.table_name = table_name
        self.table = LedgerTable(client, table_name, clock=self.clock)
        self.ledger = self.ledger_on(client)

    def ledger_on(self, client: "DynamoDBClient") -> Ledger:
        """Return a ledger that makes its requests with a client of its own."""
        return Ledger(
            LedgerTable(client, self.table_name, clock=self.clock),
            StreamCounters(client, self.table_name, clock=self.clock),
            clock=self.clock,
            jitter=random.random,
            replay_seconds=60,
        )

    @property
    def clock(self) -> Clock:
        return Clock(time.monotonic, lambda: self.now_ms, time.sleep)

    def id(self, id_: str) -> str:
        return f"{self.name}-{id_}"

    def open(self, id_: str = "b", digest: str = "d") -> Lease | Refusal:
        opening = NewBroadcast(
            self.id(id_),
            digest,
            Audience(channel=self.name),
            "frame {}".format,
            self.now_ms,
            0,
            ALL_SHARDS,
        )
        return self.ledger.open(opening, until_ms=self.now_ms + 60_000, deadline=_in_a_while())

    def lease(self, slice_id: str = ROOT) -> Lease | Refusal:
        return self.ledger.lease(self.id("b"), slice_id, until_ms=self.now_ms + 60_000)

    def frame(self, number: int) -> FrameRow:
        """Return the row of a frame of this channel."""
        item = self.table.get(frame_key(self.name, number))
        assert item is not None
        return frame_row_of(item)

    def kept(self, slice_id: str = ROOT) -> Lease:
        """Return what is in the table."""
        summary = self.table.get(summary_key(self.id("b")))
        slice_row = self.table.get(slice_key(self.id("b"), slice_id))
        assert summary is not None
        assert slice_row is not None
        kept = summary_of(summary)
        frame = self.table.get(frame_key(kept.channel, kept.seq))
        assert frame is not None
        return Lease(kept, slice_of(slice_row), frame_row_of(frame).frame)


def _in_a_while() -> float:
    return time.monotonic() + 30.0


def _held(found: Lease | Refusal) -> Lease:
    assert isinstance(found, Lease)
    return found


@pytest.fixture
def book(deployment: Deployment) -> _Book:
    """An empty ledger, in effect."""
    return _Book(deployment.client("dynamodb"), deployment.ledger_table_name)


def test_broadcast_is_opened_once(book: _Book) -> None:
    """The same again is under way, with other content it is rejected; the account is unharmed."""
    held = _held(book.open())

    assert book.open() is Refusal.LEASED
    with pytest.raises(RejectedError, match="belongs to another broadcast, number 1"):
        book.open(digest="other")
    assert book.kept() == held
    assert (held.summary.seq, held.frame) == (1, "frame 1")


def test_rows_expire_and_recent_broadcasts_can_be_listed(book: _Book) -> None:
    """By number, within a channel; nothing stays for ever."""
    for id_ in "ab":
        book.open(id_)

    answer = book.client.query(
        TableName=book.table_name,
        KeyConditionExpression="pk = :channel AND begins_with(sk, :seq)",
        ExpressionAttributeValues={
            ":channel": {"S": f"channel#{book.name}"},
            ":seq": {"S": "seq#"},
        },
        ScanIndexForward=False,
    )

    assert [item["broadcast_id"]["S"] for item in answer["Items"]] == [book.id("b"), book.id("a")]
    week = book.now_ms // 1000 + 7 * 24 * 3600
    assert [item["expiresAt"]["N"] for item in answer["Items"]] == [str(week)] * 2


def test_broadcast_whose_rows_have_expired_is_opened_anew(book: _Book) -> None:
    """Its rows are there until DynamoDB deletes them; the numbers of its channel go on."""
    held = book.ledger.split(
        _held(book.open()), Backlog(), Receipt(2), (), (STRAGGLERS,), deadline=_in_a_while()
    )
    book.now_ms += 7 * 24 * 3600 * 1000 + 1000

    again = _held(book.open(digest="another text"))
    split = book.ledger.split(again, Backlog(), Receipt(), (), (PART,), deadline=_in_a_while())

    assert (held.summary.seq, again.summary.seq, again.frame) == (1, 2, "frame 2")
    assert split == book.kept()
    assert _held(book.lease("1")).slice_row.backlog == PART


def test_numbers_have_no_gaps_when_many_are_opened_at_once(book: _Book) -> None:
    """Each broadcast of a channel has a number of its own."""
    with ThreadPoolExecutor(4) as threads:
        opened = list(threads.map(book.open, map(str, range(24))))

    assert sorted(_held(one).summary.seq for one in opened) == list(range(1, 25))


def test_one_of_many_openers_of_the_same_broadcast_has_it(book: _Book) -> None:
    """The same message several times at once: one works, and numbers that others took are void."""
    with ThreadPoolExecutor(4) as threads:
        opened = list(threads.map(lambda _: book.open(), range(8)))

    assert sorted(str(one) for one in opened if isinstance(one, Refusal)) == ["Refusal.LEASED"] * 7
    (held,) = (one for one in opened if isinstance(one, Lease))
    others = set(range(1, _held(book.open("next")).summary.seq)) - {held.summary.seq}
    assert all(book.frame(number).is_void for number in others)


def test_slice_is_leased_by_one_until_the_lease_runs_out(book: _Book) -> None:
    """Then one of the next workers leases it."""
    _held(book.open())
    assert book.lease() is Refusal.LEASED

    book.now_ms += 60_000
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda _: book.lease(), range(8)))

    (held,) = (one for one in found if isinstance(one, Lease))
    assert held == book.kept()
    assert held.slice_row.hops == 2


def test_checkpoint_is_what_the_next_owner_goes_on_from(book: _Book) -> None:
    """Backlog, sums, and failed connections; a released slice is free at once."""
    held = book.ledger.checkpoint(_held(book.open()), PART, Receipt(1, failed=1), FAILED)
    book.ledger.release(held, STRAGGLERS, Receipt(3, failed=1), (), deadline=_in_a_while())

    again = _held(book.lease())

    assert (again.slice_row.backlog, again.slice_row.counts) == (STRAGGLERS, Receipt(3, failed=1))
    failed = book.table.get((f"broadcast#{book.id('b')}", "failed#0#000000"))
    assert failed is not None
    assert json.loads(failed["failed"]["S"]) == [list(pair) for pair in FAILED]


_WRITES: dict[str, Callable[[Ledger, Lease], Lease]] = {
    "checkpoint": lambda ledger, held: ledger.checkpoint(held, PART, Receipt(), ()),
    "checkpoint-with-failed": lambda ledger, held: ledger.checkpoint(
        held, PART, Receipt(1, failed=1), FAILED
    ),
    "release": lambda ledger, held: ledger.release(
        held, PART, Receipt(), (), deadline=_in_a_while()
    ),
    "split": lambda ledger, held: ledger.split(
        held, Backlog(), Receipt(), (), (PART,), deadline=_in_a_while()
    ),
    "close": lambda ledger, held: ledger.close(
        held, Receipt(1, delivered=1), (), deadline=_in_a_while()
    ),
}
EACH_WRITE = pytest.mark.parametrize("write", _WRITES.values(), ids=_WRITES)


@EACH_WRITE
def test_nothing_is_written_when_the_lease_was_lost(
    book: _Book, write: Callable[[Ledger, Lease], Lease]
) -> None:
    """The new owner's account is unharmed."""
    held = _held(book.open())
    book.now_ms += 60_000
    other = _held(book.lease())

    with pytest.raises(LeaseLostError):
        write(book.ledger, held)
    assert book.kept() == other


@EACH_WRITE
def test_write_counts_as_done_when_its_first_answer_was_lost(
    book: _Book, deployment: Deployment, write: Callable[[Ledger, Lease], Lease]
) -> None:
    """The client asks again, and finds its own write in the way."""
    held = _held(book.open())
    client = deployment.client("dynamodb")
    losses = _lose_the_first_answer(client)
    ledger = book.ledger_on(client)

    written = write(ledger, held)

    assert losses == [1]
    assert written == book.kept()


def test_open_counts_as_done_when_its_first_answer_was_lost(
    book: _Book, deployment: Deployment
) -> None:
    """Opened once, with one number, and it is ours."""
    client = deployment.client("dynamodb")
    losses = _lose_the_first_answer(client)
    again = _Book(client, book.table_name)

    held = _held(again.open())

    assert losses == [1]
    assert held == again.kept()
    assert held.summary.seq == 1


def _lose_the_first_answer(client: "DynamoDBClient") -> list[int]:
    """Have the client's first write done twice, as after an answer that never came."""
    losses: list[int] = []

    def send_twice(request: Any, **_: object) -> None:
        target = request.headers["X-Amz-Target"].decode().split(".")[1]
        if target in ("PutItem", "TransactWriteItems") and not losses:
            losses.append(1)
            client._endpoint.http_session.send(request)  # type: ignore[attr-defined]

    client.meta.events.register("before-send.dynamodb", send_twice)
    return losses


def test_write_says_so_when_no_answer_ever_comes(book: _Book, deployment: Deployment) -> None:
    """Whether it was written is not known: the message comes again."""
    held = _held(book.open())
    once = Config(retries={"total_max_attempts": 1})
    client = deployment.session.client(
        "dynamodb", endpoint_url=deployment.endpoint_url, config=once
    )

    def never(**_: object) -> None:
        raise ReadTimeoutError(endpoint_url="injected")

    client.meta.events.register("before-send.dynamodb.PutItem", never)
    ledger = book.ledger_on(client)

    with pytest.raises(WriteError, match="slice#0 not written"):
        ledger.checkpoint(held, PART, Receipt(), ())


def test_split_slices_are_taken_up_by_others(book: _Book) -> None:
    """They are free at once; the broadcast waits for all of them."""
    held = _held(book.open())

    held = book.ledger.split(
        held, Backlog(), Receipt(2), FAILED[:0], (PART, STRAGGLERS), deadline=_in_a_while()
    )

    assert held == book.kept()
    assert (held.summary.open_slices, held.slice_row.unannounced) == (3, ("1", "2"))
    assert _held(book.lease("1")).slice_row.backlog == PART
    assert _held(book.lease("2")).slice_row.counts == Receipt(targeted=2)


def test_largest_split_fits_into_one_transaction(book: _Book) -> None:
    """All shards but one, the largest frame, and stragglers by the thousand."""
    frame = "\x7f" * MAX_FRAME_BYTES
    opening = NewBroadcast(
        book.id("b"), "d", Audience(channel=book.name), lambda _: frame, 0, 0, ALL_SHARDS
    )
    held = _held(book.ledger.open(opening, until_ms=book.now_ms + 60_000, deadline=_in_a_while()))
    many = tuple(Connection(f"L0SM9cO{n:08}=", book.now_ms, 3) for n in range(2_500))
    parts = tuple(Backlog((one,)) for one in ALL_SHARDS.shards[1:])

    held = book.ledger.split(
        held,
        Backlog(connections=many),
        Receipt(len(many)),
        (),
        (*parts, Backlog(connections=many[:0])),
        deadline=_in_a_while(),
    )

    assert held == book.kept()


def test_last_close_settles(book: _Book) -> None:
    """With the sums of all; a duplicate finds it closed."""
    held = book.ledger.split(
        _held(book.open()), Backlog(), Receipt(2), (), (STRAGGLERS,), deadline=_in_a_while()
    )
    held = held._replace(slice_row=held.slice_row._replace(unannounced=()))
    first = book.ledger.close(held, Receipt(), (), deadline=_in_a_while())
    assert not first.summary.is_settled

    last = book.ledger.close(_held(book.lease("1")), Receipt(2, gone=2), (), deadline=_in_a_while())

    assert (last.summary.is_settled, last.summary.counts) == (True, Receipt(2, gone=2))
    assert book.kept("1") == last
    assert (book.lease(), book.lease("1")) == (Refusal.CLOSED, Refusal.CLOSED)
    assert book.open() is Refusal.CLOSED


def test_many_closers_at_once_settle_once_with_all_sums(book: _Book) -> None:
    """No slice's sums are lost."""
    parts = tuple(Backlog(connections=(Connection(f"c{n}", 0, 1),)) for n in range(6))
    held = book.ledger.split(
        _held(book.open()), Backlog(), Receipt(len(parts)), (), parts, deadline=_in_a_while()
    )
    leases = [held._replace(slice_row=held.slice_row._replace(unannounced=()))]
    leases += [_held(book.lease(str(n + 1))) for n in range(len(parts))]

    with ThreadPoolExecutor(4) as threads:
        closed = list(
            threads.map(
                lambda one: book.ledger.close(
                    one,
                    replace(one.slice_row.counts, gone=one.slice_row.counts.targeted),
                    (),
                    deadline=_in_a_while(),
                ),
                leases,
            )
        )

    assert sum(one.summary.is_settled for one in closed) == 1
    assert book.kept().summary.counts == Receipt(6, gone=6)
