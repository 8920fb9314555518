"""Many workers on one ledger, in virtual time: no write is given up, and none waits for long."""

import pytest

from broadcasting.backlog import Backlog
from broadcasting.frame import MAX_FRAME_BYTES
from broadcasting.ledger_rows import ROOT, Lease
from storage.errors import BusyError
from testbed.model.ledger_scenes import (
    closing,
    contended,
    leases_of,
    open_broadcast,
    opening_one_after_another,
    split_broadcast,
)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(("broadcasts", "seconds"), [(20, 1.5), (50, 3.0)])
def test_broadcasts_opened_at_once_are_all_open_soon(
    seed: int, broadcasts: int, seconds: float
) -> None:
    """As many as functions run at once, in one channel: each has a number, without gaps."""
    dynamo = contended(seed)
    works = [lambda id_=f"b{number}": open_broadcast(dynamo, id_) for number in range(broadcasts)]

    opened = leases_of(dynamo.time.run(works))

    assert sorted(held.summary.seq for held in opened) == list(range(1, broadcasts + 1))
    assert dynamo.conflicts == 0
    assert dynamo.time.seconds <= seconds


@pytest.mark.parametrize("seed", range(8))
def test_fifty_workers_open_two_hundred_broadcasts_a_second_in_one_channel(seed: int) -> None:
    """No try is in vain, as no two of them write the same row in a transaction; none gives up."""
    dynamo = contended(seed)
    works = [
        lambda worker=worker: opening_one_after_another(dynamo, worker, 10) for worker in range(50)
    ]

    ends = dynamo.time.run(works)

    opened = [held for end in ends if isinstance(end, list) for held in end]
    assert sorted(held.summary.seq for held in opened) == list(range(1, 501))
    assert dynamo.transactions <= 1.2 * len(opened)
    assert len(opened) / dynamo.time.seconds >= 200


@pytest.mark.parametrize("seed", range(3))
def test_broadcasts_opened_at_once_are_all_open_when_each_overlap_cancels_both(seed: int) -> None:
    """Worse than DynamoDB documents: it takes longer, and none is given up."""
    dynamo = contended(seed, is_mutual=True)
    works = [lambda id_=f"b{number}": open_broadcast(dynamo, id_) for number in range(50)]

    assert len(leases_of(dynamo.time.run(works))) == 50
    assert dynamo.time.seconds < 10


@pytest.mark.parametrize("seed", range(8))
def test_slices_closed_at_once_are_all_closed_when_the_partition_is_metered(seed: int) -> None:
    """13 within 0.3 s, the largest frame, 1,000 units a second: the frame is not written again."""
    dynamo = contended(seed, units_per_second=1_000)

    (outcome,) = dynamo.time.run([lambda: split_broadcast(dynamo, "x" * MAX_FRAME_BYTES)])
    assert isinstance(outcome, list)
    began = dynamo.time.seconds
    works = [closing(dynamo, held, dynamo.random.uniform(0, 0.3)) for held in outcome]
    closed = leases_of(dynamo.time.run(works))

    assert sum(one.summary.is_settled for one in closed) == 1
    assert dynamo.throttles == 0
    assert dynamo.time.seconds - began < 3.0


@pytest.mark.parametrize("seconds", [0.2, 0.5, 1.0, 2.0, 10.0])
def test_closing_waits_until_throttling_is_over(seconds: float) -> None:
    """A partition whose units are used up for a while: closed in the same invocation."""
    dynamo = contended(1)
    (held,) = leases_of(dynamo.time.run([lambda: open_broadcast(dynamo, "b")]))
    dynamo.units_per_second = 0

    def recover() -> Lease:
        dynamo.time.sleep(seconds)
        dynamo.units_per_second = float("inf")
        dynamo.forget_units()
        return held

    done = held.slice_row._replace(backlog=Backlog())
    works = [closing(dynamo, held._replace(slice_row=done), 0.0), recover]
    closed, _ = leases_of(dynamo.time.run(works))

    assert closed.summary.is_settled
    assert dynamo.throttles > 0
    assert dynamo.time.seconds < seconds + 1.1


def test_closing_says_that_it_was_throttled_when_its_time_is_up() -> None:
    """The reason is in the error, for the log."""
    dynamo = contended(1)
    (held,) = leases_of(dynamo.time.run([lambda: open_broadcast(dynamo, "b")]))
    dynamo.units_per_second = 0

    (error,) = dynamo.time.run([closing(dynamo, held, 0.0)])

    assert isinstance(error, BusyError)
    assert f"slice {ROOT} of b not closed after" in str(error)
    assert "(ThrottlingError)" in str(error)
