"""Many at once on one ledger, in virtual time: none is given up, and none waits for long."""

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from broadcasting.audience import Connection
from broadcasting.counts import Counts
from broadcasting.frame import MAX_FRAME_BYTES
from broadcasting.ledger import ROOT
from broadcasting.work import ALL_SHARDS, Work
from storage.errors import BusyError
from storage.ledger import Lease, Opening
from tests.unit.lambdas.contention import ContendedDynamo, VirtualTime
from tests.unit.lambdas.fakes import NOW_MS

UNTIL_MS = NOW_MS + 65_000
DEADLINE = 49.0
SLICES = 13


def _dynamo(seed: int, **options: Any) -> ContendedDynamo:
    random = Random(seed)  # noqa: S311 - nothing is secret here
    return ContendedDynamo(time=VirtualTime(), random=random, **options)


def _open(dynamo: ContendedDynamo, id_: str, frame: str = "frame") -> Lease:
    opening = Opening(id_, "d", "*", lambda _: frame, NOW_MS, 0, ALL_SHARDS)
    held = dynamo.ledger().open(opening, until_ms=UNTIL_MS, deadline=DEADLINE)
    assert isinstance(held, Lease)
    return held


def _all(leases: list[Lease | Exception]) -> list[Lease]:
    held = [one for one in leases if isinstance(one, Lease)]
    assert len(held) == len(leases), [one for one in leases if not isinstance(one, Lease)]
    return held


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(("broadcasts", "seconds"), [(20, 1.5), (50, 3.0)])
def test_broadcasts_opened_at_once_are_all_open_soon(
    seed: int, broadcasts: int, seconds: float
) -> None:
    """As many as functions run at once, in one channel: each has a number, without gaps."""
    dynamo = _dynamo(seed)
    works = [lambda id_=f"b{number}": _open(dynamo, id_) for number in range(broadcasts)]

    opened = _all(dynamo.time.run(works))

    assert sorted(held.summary.seq for held in opened) == list(range(1, broadcasts + 1))
    assert dynamo.conflicts > 0
    assert dynamo.time.seconds <= seconds


@pytest.mark.parametrize("seed", range(3))
def test_broadcasts_opened_at_once_are_all_open_when_each_overlap_cancels_both(seed: int) -> None:
    """Worse than DynamoDB documents: it takes longer, and none is given up."""
    dynamo = _dynamo(seed, is_mutual=True)
    works = [lambda id_=f"b{number}": _open(dynamo, id_) for number in range(50)]

    assert len(_all(dynamo.time.run(works))) == 50
    assert dynamo.time.seconds < 10


def _split(dynamo: ContendedDynamo, frame: str) -> list[Lease]:
    """Return the leases of a broadcast's slices, each with a connection that is to be posted to."""
    parts = tuple(Work(connections=(Connection(f"c{n}", 0, 1),)) for n in range(1, SLICES))
    held = _open(dynamo, "b", frame)
    held = dynamo.ledger().split(held, Work(), Counts(len(parts)), (), parts, deadline=DEADLINE)
    leases = [held._replace(piece=replace(held.piece, unannounced=()))]
    for number in range(1, SLICES):
        leased = dynamo.ledger().lease("b", str(number), until_ms=UNTIL_MS)
        assert isinstance(leased, Lease)
        leases.append(leased)
    return leases


def _closing(dynamo: ContendedDynamo, held: Lease, after_seconds: float) -> Callable[[], Lease]:
    counts = replace(held.piece.counts, delivered=held.piece.counts.targeted)

    def close() -> Lease:
        dynamo.time.sleep(after_seconds)
        return dynamo.ledger().close(held, counts, (), deadline=DEADLINE)

    return close


@pytest.mark.parametrize("seed", range(8))
def test_slices_closed_at_once_are_all_closed_when_the_partition_is_metered(seed: int) -> None:
    """13 within 0.3 s, the largest frame, 1,000 units a second: the frame is not written again."""
    dynamo = _dynamo(seed, units_per_second=1_000)

    (outcome,) = dynamo.time.run([lambda: _split(dynamo, "x" * MAX_FRAME_BYTES)])
    assert isinstance(outcome, list)
    began = dynamo.time.seconds
    works = [_closing(dynamo, held, dynamo.random.uniform(0, 0.3)) for held in outcome]
    closed = _all(dynamo.time.run(works))

    assert sum(one.summary.is_settled for one in closed) == 1
    assert dynamo.throttles == 0
    assert dynamo.time.seconds - began < 3.0


@pytest.mark.parametrize("seconds", [0.2, 0.5, 1.0, 2.0, 10.0])
def test_closing_waits_until_throttling_is_over(seconds: float) -> None:
    """A partition that has no units left for a while: closed in the same invocation."""
    dynamo = _dynamo(1)
    (held,) = _all(dynamo.time.run([lambda: _open(dynamo, "b")]))
    dynamo.units_per_second = 0

    def recover() -> Lease:
        dynamo.time.sleep(seconds)
        dynamo.units_per_second = float("inf")
        dynamo.forget_units()
        return held

    done = replace(held.piece, work=Work())
    works = [_closing(dynamo, held._replace(piece=done), 0.0), recover]
    closed, _ = _all(dynamo.time.run(works))

    assert closed.summary.is_settled
    assert dynamo.throttles > 0
    assert dynamo.time.seconds < seconds + 1.1


def test_closing_says_that_it_was_throttled_when_its_time_is_up() -> None:
    """The reason is in the error, for the log."""
    dynamo = _dynamo(1)
    (held,) = _all(dynamo.time.run([lambda: _open(dynamo, "b")]))
    dynamo.units_per_second = 0

    (error,) = dynamo.time.run([_closing(dynamo, held, 0.0)])

    assert isinstance(error, BusyError)
    assert f"slice {ROOT} of b not closed after" in str(error)
    assert "(ThrottlingError)" in str(error)
