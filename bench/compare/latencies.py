"""Latencies in flat memory: a list of 300,000 of them would show in the memory that we measure."""

from array import array
from collections.abc import Iterator, Sequence
from math import ceil, exp, log

_FLOOR_SECONDS = 1e-5
_STEPS = 1_000
"""Buckets for each factor of e: a bucket is 0.1 % wide, and so is the error."""
_BUCKETS = 20 * _STEPS
"""Reaches from 10 microseconds to 80 minutes; beyond is counted in the last one."""

CURVE_POINTS = 200


class Latencies:
    """A histogram with logarithmic buckets. Not for several threads at once."""

    def __init__(self) -> None:
        self._buckets = array("Q", bytes(8 * _BUCKETS))
        self._count = 0
        self._max_seconds = 0.0

    def note(self, seconds: float) -> None:
        """Count one latency."""
        index = int(log(seconds / _FLOOR_SECONDS) * _STEPS) if seconds > _FLOOR_SECONDS else 0
        self._buckets[index if index < _BUCKETS else -1] += 1
        self._count += 1
        self._max_seconds = max(self._max_seconds, seconds)

    def summary_ms(self) -> dict[str, float]:
        """Return p50, p95, p99 and max in milliseconds; zeros when there is nothing."""
        if not self._count:
            return dict.fromkeys(("p50", "p95", "p99", "max"), 0.0)
        ranks = [ceil(self._count * percent / 100) for percent in (50, 95, 99, 100)]
        return dict(zip(("p50", "p95", "p99", "max"), self._values_ms(ranks), strict=True))

    def curve(self, points: int = CURVE_POINTS) -> tuple[tuple[float, int], ...]:
        """Return pairs of milliseconds and the count until then: `points` pairs at most."""
        points = min(points, self._count)
        ranks = [ceil(self._count * (i + 1) / points) for i in range(points)]
        return tuple(zip(self._values_ms(ranks), ranks, strict=True))

    def _values_ms(self, ranks: Sequence[int]) -> Iterator[float]:
        """Yield the latency at each rank, counted from 1; the ranks must ascend."""
        index, seen = 0, self._buckets[0]
        for rank in ranks:
            while seen < rank:
                index += 1
                seen += self._buckets[index]
            yield round(1e3 * self._value_seconds(index, rank), 3)

    def _value_seconds(self, index: int, rank: int) -> float:
        if rank == self._count:
            return self._max_seconds
        middle = _FLOOR_SECONDS * exp((index + 0.5) / _STEPS)
        return min(middle, self._max_seconds)
