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
    open_broadcast,
    split_broadcast,
)

_SEEDS = range(20)
_BROADCASTS = 50
_OPEN_WITHIN_SECONDS = 3.0
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
    """Return how long it takes until all have a number."""
    runs = [_open_all(seed) for seed in _SEEDS]
    seconds = max(runs)
    return Target(
        name=f"{_BROADCASTS} broadcasts opened at once in one channel",
        target=f"all within {_OPEN_WITHIN_SECONDS:g} s, none given up",
        source="modelled",
        figure=f"all within {seconds:.2f} s",
        met=seconds <= _OPEN_WITHIN_SECONDS,
    )


def _open_all(seed: int) -> float:
    dynamo = contended(seed)
    works = [lambda id_=f"b{number}": open_broadcast(dynamo, id_) for number in range(_BROADCASTS)]
    leases_of(dynamo.time.run(works))
    return dynamo.time.seconds
