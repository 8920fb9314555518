"""What the ledger's writes cost: the frame is paid for once."""

from dataclasses import replace
from typing import Any

from bench.scale.request_meter import _write_units as write_units
from broadcasting.counts import Counts
from broadcasting.work import ALL_SHARDS, Work
from storage.ledger import Lease, Ledger, Opening
from tests.unit.lambdas.fakes import FAR, NOW_MS, FakeTime
from tests.unit.lambdas.ledger_dynamo import LedgerDynamo, Request

FRAME = "x" * 100 * 1024
UNTIL_MS = NOW_MS + 65_000


def _requests_of_a_split_broadcast() -> list[Request]:
    """Return the requests of a broadcast that is split 16 ways, and settled."""
    time, dynamo = FakeTime(), LedgerDynamo()
    ledger = Ledger(dynamo.table, clock=time.clock, sleep=time.run)
    opening = Opening("b", "d", "*", lambda _: FRAME, NOW_MS, 0, ALL_SHARDS)
    first, *others = ALL_SHARDS.shards
    held = ledger.open(opening, until_ms=UNTIL_MS, deadline=FAR)
    assert isinstance(held, Lease)
    parts = tuple(Work((one,)) for one in others)
    held = ledger.split(held, Work((first,)), Counts(), (), parts, deadline=FAR)
    held = held._replace(piece=replace(held.piece, unannounced=()))
    leases = [held]
    for number in range(1, len(ALL_SHARDS.shards)):
        leased = ledger.lease("b", str(number), until_ms=UNTIL_MS)
        assert isinstance(leased, Lease)
        leases.append(leased)
    for one in leases:
        last = ledger.close(one, Counts(100, delivered=100), (), deadline=FAR)
    assert last.summary.is_settled
    return dynamo.requests


def _as_before(request: Request) -> Request:
    """Return a write as the release before made it: the frame in the summary, each time."""
    name, params = request
    if name != "TransactWriteItems":
        return request
    items = [one["Put"]["Item"] for one in params["TransactItems"]]
    kept = [_with_frame(item) for item in items if not item["sk"]["S"].startswith("frame#")]
    return name, {"TransactItems": [{"Put": {"Item": item}} for item in kept]}


def _with_frame(item: dict[str, Any]) -> dict[str, Any]:
    return item | {"frame": {"S": FRAME}} if item["sk"]["S"] == "summary" else item


def test_split_broadcast_costs_a_fifth_of_what_it_did_when_its_frame_is_large() -> None:
    """Counted by the rule of `bench.scale`: the frame was written 18 times, now it is once."""
    requests = _requests_of_a_split_broadcast()

    now = sum(write_units(*one) for one in requests)
    before = sum(write_units(*_as_before(one)) for one in requests)

    assert (now, before) == (323, 3_721)
    assert now <= before / 5
