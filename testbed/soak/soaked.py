"""What came of a soak."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Soaked:
    """The figures of a soak, and each broken promise in words.

    `duplicates` are copies among what was posted to connections. `rows_left` counts rows of clients
    that nothing will delete, `rows_kept` those that only their expiry removes, and `marks` the
    numbers whose marks wait for their five minutes.
    """

    broadcasts: int = 0
    settled: int = 0
    connected: int = 0
    left: int = 0
    reconnects: int = 0
    received: int = 0
    duplicates: int = 0
    replayed: int = 0
    lost: int = 0
    excluded: int = 0
    rows_swept: int = 0
    rows_kept: int = 0
    rows_left: int = 0
    marks: int = 0
    slowest_seconds: float = 0.0
    faults: dict[str, int] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)
