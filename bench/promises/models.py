"""What is modelled: many workers on one ledger, in virtual time; and what another verb measures."""

from collections.abc import Iterator

from bench.promises.laboratory import Laboratory
from bench.target import Target
from broadcasting.frame import MAX_FRAME_BYTES
from broadcasting.ledger_rows import Lease
from testbed.model.ledger_scenes import (
    closing,
    contended,
    leases_of,
    opening_one_after_another,
    split_broadcast,
)

_SEEDS = range(20)
_WORKERS, _BROADCASTS = 50, 40
_OPENED_PER_SECOND, _MOST_TRIES = 200, 1.2
_CLOSE_WITHIN_SECONDS = 0.3
_UNITS_PER_SECOND = 1_000.0


def models(_: Laboratory) -> Iterator[Target]:
    """Yield what came of twenty runs each, by the worst of them."""
    yield _closings()
    yield _openings()
    yield Target(
        name="make bench-quick against the release before",
        target="no row slower by more than 5 %",
        source="timed",
    )


def _closings() -> Target:
    """Return how many slices were closed: one that is not is posted to again."""
    runs = [_close_all(seed) for seed in _SEEDS]
    closed = min(closed for closed, _, _ in runs)
    slices = max(slices for _, slices, _ in runs)
    seconds = max(seconds for _, _, seconds in runs)
    return Target(
        name="13 slices with frames of 127 KiB closed within 0.3 s, 1,000 units/s",
        target="all closed, 0 twice",
        source="modelled",
        figure=f"{closed} of {slices} closed, the last after {seconds:.2f} s",
        met=closed == slices,
    )


def _close_all(seed: int) -> tuple[int, int, float]:
    dynamo = contended(seed, units_per_second=_UNITS_PER_SECOND)
    (held,) = dynamo.time.run([lambda: split_broadcast(dynamo, "x" * MAX_FRAME_BYTES)])
    assert isinstance(held, list)
    began = dynamo.time.seconds
    after_seconds = [dynamo.random.uniform(0, _CLOSE_WITHIN_SECONDS) for _ in held]
    works = [closing(dynamo, *one) for one in zip(held, after_seconds, strict=True)]
    ends = dynamo.time.run(works)
    closed = sum(isinstance(end, Lease) for end in ends)
    return closed, len(held), dynamo.time.seconds - began


def _openings() -> Target:
    """Return how many broadcasts are opened a second, and with how many tries."""
    runs = [_open_all(seed) for seed in _SEEDS]
    rate = min(rate for rate, _ in runs)
    tries = max(tries for _, tries in runs)
    return Target(
        name=f"broadcasts opened in one channel by {_WORKERS} workers, updates of 5 ms, 1,000/s",
        target=f"{_OPENED_PER_SECOND}/s, {_MOST_TRIES:g} tries each, none given up",
        source="modelled",
        figure=f"{rate:,.0f}/s, {tries:.2f} tries",
        met=rate >= _OPENED_PER_SECOND and tries <= _MOST_TRIES,
    )


def _open_all(seed: int) -> tuple[float, float]:
    """Return how many broadcasts were opened a second, and the tries for each of them."""
    dynamo = contended(seed)
    works = [
        lambda worker=worker: opening_one_after_another(dynamo, worker, _BROADCASTS)
        for worker in range(_WORKERS)
    ]
    ends = dynamo.time.run(works)
    opened = leases_of([held for end in ends for held in (end if isinstance(end, list) else [end])])
    return len(opened) / dynamo.time.seconds, dynamo.transactions / len(opened)
