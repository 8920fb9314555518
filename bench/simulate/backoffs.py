"""How long clients wait before they connect again: the real code of ours, and other ways.

All of them wait a random time, up to 2 seconds before the first try and up to a minute at most.
"""

from collections.abc import Callable, Mapping
from random import Random

from crier.listening.waits import Waits

FIRST_SECONDS, MIN_SECONDS, MAX_SECONDS = 2.0, 0.5, 60.0

Backoff = Callable[[int, float, Random], float]
"""Returns seconds: it takes the failures in a row so far, the wait before, and chance."""


def _ours(failures: int, _: float, chance: Random) -> float:
    return Waits(jitter=chance.random).before_connect(failures) / 1000


def _multiplied(first_seconds: float, factor: float) -> Backoff:
    def wait(failures: int, _: float, chance: Random) -> float:
        return chance.uniform(0, _capped(first_seconds * factor**failures))

    return wait


def _held_then_doubled(failures: int, _: float, chance: Random) -> float:
    return chance.uniform(0, _capped(max(FIRST_SECONDS, MIN_SECONDS * 2.0**failures)))


def _decorrelated(failures: int, before: float, chance: Random) -> float:
    """Wait up to three times the wait before, and never less than the first limit.

    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """
    if not failures:
        return chance.uniform(0, FIRST_SECONDS)
    return _capped(chance.uniform(FIRST_SECONDS, 3 * max(FIRST_SECONDS, before)))


def _capped(seconds: float) -> float:
    return min(MAX_SECONDS, seconds)


OURS = "2 s, doubled"
"""The one by which our clients wait."""

BACKOFFS: Mapping[str, Backoff] = {
    OURS: _ours,
    "2 s, tripled": _multiplied(FIRST_SECONDS, 3.0),
    "2 s three times, then doubled": _held_then_doubled,
    "0.5 s, doubled": _multiplied(MIN_SECONDS, 2.0),
    "decorrelated": _decorrelated,
}
"""By the limits of the random time: the first, and what each failure makes of it."""
