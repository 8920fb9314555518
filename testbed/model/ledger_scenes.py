"""Broadcasts as many workers deliver them, on a ledger in virtual time: for tests and `bench`."""

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

from broadcasting.audience import Audience
from broadcasting.backlog import ALL_SHARDS, Backlog
from broadcasting.connection import Connection
from broadcasting.ledger_items import FRAMES
from broadcasting.ledger_opening import NewBroadcast
from broadcasting.ledger_rows import Lease
from broadcasting.receipt import Receipt
from storage.ledger import Ledger
from testbed.model.contention import ContendedDynamo, VirtualTime
from testbed.model.fakes import FAR, NOW_MS, FakeTime, half
from testbed.model.ledger_dynamo import LedgerDynamo, Request

UNTIL_MS = NOW_MS + 65_000
DEADLINE = 49.0
SLICES = 13
FRAME = "x" * 100 * 1024


def contended(seed: int, **options: Any) -> ContendedDynamo:
    """Return a DynamoDB in virtual time, which comes to the same end with the same seed."""
    random = Random(seed)  # noqa: S311 - nothing is secret here
    return ContendedDynamo(time=VirtualTime(), random=random, **options)


def open_broadcast(dynamo: ContendedDynamo, id_: str, frame: str = "frame") -> Lease:
    """Open a broadcast to everyone."""
    opening = NewBroadcast(id_, "d", Audience(), lambda _: frame, NOW_MS, 0, ALL_SHARDS)
    held = dynamo.ledger().open(opening, until_ms=UNTIL_MS, deadline=DEADLINE)
    assert isinstance(held, Lease)
    return held


def opening_one_after_another(dynamo: ContendedDynamo, worker: int, count: int) -> list[Lease]:
    """Open broadcasts of one worker, as fast as it goes."""
    return [open_broadcast(dynamo, f"b{worker}-{number}") for number in range(count)]


def leases_of(leases: list[Lease | Exception]) -> list[Lease]:
    """Return what works came to, none of which may have raised."""
    held = [one for one in leases if isinstance(one, Lease)]
    assert len(held) == len(leases), [one for one in leases if not isinstance(one, Lease)]
    return held


def split_broadcast(dynamo: ContendedDynamo, frame: str) -> list[Lease]:
    """Return the leases of a broadcast's slices, each with a connection that is to be posted to."""
    parts = tuple(Backlog(connections=(Connection(f"c{n}", 0, 1),)) for n in range(1, SLICES))
    held = open_broadcast(dynamo, "b", frame)
    held = dynamo.ledger().split(held, Backlog(), Receipt(len(parts)), (), parts, deadline=DEADLINE)
    leases = [held._replace(slice_row=held.slice_row._replace(unannounced=()))]
    for number in range(1, SLICES):
        leased = dynamo.ledger().lease("b", str(number), until_ms=UNTIL_MS)
        assert isinstance(leased, Lease)
        leases.append(leased)
    return leases


def closing(dynamo: ContendedDynamo, held: Lease, after_seconds: float) -> Callable[[], Lease]:
    """Return the work of closing a slice, all of whose connections were delivered."""
    counts = replace(held.slice_row.counts, delivered=held.slice_row.counts.targeted)

    def close() -> Lease:
        dynamo.time.sleep(after_seconds)
        return dynamo.ledger().close(held, counts, (), deadline=DEADLINE)

    return close


def requests_of_a_split_broadcast() -> list[Request]:
    """Return the requests of a broadcast that is split 16 ways, and settled."""
    time, dynamo = FakeTime(), LedgerDynamo()
    ledger = Ledger(dynamo.table, dynamo.counters, clock=time.clock, jitter=half, replay_seconds=60)
    opening = NewBroadcast("b", "d", Audience(), lambda _: FRAME, NOW_MS, 0, ALL_SHARDS)
    first, *others = ALL_SHARDS.shards
    held = ledger.open(opening, until_ms=UNTIL_MS, deadline=FAR)
    assert isinstance(held, Lease)
    parts = tuple(Backlog((one,)) for one in others)
    held = ledger.split(held, Backlog((first,)), Receipt(), (), parts, deadline=FAR)
    held = held._replace(slice_row=held.slice_row._replace(unannounced=()))
    leases = [held]
    for number in range(1, len(ALL_SHARDS.shards)):
        leased = ledger.lease("b", str(number), until_ms=UNTIL_MS)
        assert isinstance(leased, Lease)
        leases.append(leased)
    for one in leases:
        last = ledger.close(one, Receipt(100, delivered=100), (), deadline=FAR)
    assert last.summary.is_settled
    return dynamo.requests


def as_before(request: Request) -> Request:
    """Return a write as the release before made it: the frame in the summary, each time."""
    name, params = request
    if name != "TransactWriteItems":
        return request
    items = [one["Put"]["Item"] for one in params["TransactItems"]]
    kept = [_with_frame(item) for item in items if not item["sk"]["S"].startswith(FRAMES)]
    return name, {"TransactItems": [{"Put": {"Item": item}} for item in kept]}


def _with_frame(item: dict[str, Any]) -> dict[str, Any]:
    return item | {"frame": {"S": FRAME}} if item["sk"]["S"] == "summary" else item
