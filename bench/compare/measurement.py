"""What a strategy says about one run of its own: one line of JSON."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Literal, Self

Outcome = Literal["delivered", "gone", "failed", "throttled"]
"""How one connection ends; `throttled` is answered 429 to the end."""

Curve = tuple[tuple[float, int], ...]
"""Milliseconds since the beginning, and how many connections had their answer by then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One run. The latencies are of delivered and gone connections: the others have no end."""

    strategy: str
    connections: int
    wall_seconds: float
    cpu_seconds: float
    """User and system time of the whole process, while measuring."""
    peak_memory_bytes: int
    """The largest resident set of the process, ever."""
    delivered: int
    gone: int
    failed: int
    throttled: int
    latency_ms: Mapping[str, float]
    """p50, p95, p99 and max: from the beginning of the run to each connection's answer."""
    curve: Curve

    def to_json(self) -> str:
        """Return one line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return what a strategy printed; raises TypeError when keys are missing or unknown."""
        facts = json.loads(text)
        curve = tuple((float(ms), int(count)) for ms, count in facts.pop("curve"))
        return cls(**facts, curve=curve)
