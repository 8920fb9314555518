"""Ratios of wall times: each pair is measured in turn, some times, and its medians compared."""

from collections.abc import Callable
from statistics import median

REPEATS = 3

Timing = Callable[[], float]


def ratio(measured: Timing, reference: Timing, *, repeats: int = REPEATS) -> tuple[float, str]:
    """Return how many times the reference's time something takes, and both times in words."""
    pairs = [(measured(), reference()) for _ in range(repeats)]
    ours, theirs = (median(side) for side in zip(*pairs, strict=True))
    return ours / theirs, f"{ours / theirs:.2f} x ({ours:.3f} s, {theirs:.3f} s)"
