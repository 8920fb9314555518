"""What came of a storm."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import quantiles

from testbed.storm.returns import Return


@dataclass(slots=True)
class Stormed:
    """The figures of a storm, and each broken promise in words.

    `posted` counts frames on the wire, `doubled` the copies among them; `expected` and `received`
    what the clients had to be given, and were. `returns` are all cuts of connections that served.
    """

    clients: int = 0
    seconds: float = 0.0
    broadcasts: int = 0
    expected: int = 0
    received: int = 0
    received_meanwhile: int = 0
    """Until the last broadcast was sent."""
    posted: int = 0
    doubled: int = 0
    replayed: int = 0
    cuts: int = 0
    reconnects: int = 0
    renewals: int = 0
    killed: int = 0
    away_seconds: float = 0.0
    tokens_in_vain: int = 0
    stale_tokens: int = 0
    whole_seconds: float = 0.0
    """From the last broadcast until each client had all."""
    returns: list[Return] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    @property
    def frames_per_second(self) -> float:
        """How many frames the clients were given in a second of the storm."""
        return self.received_meanwhile / self.seconds if self.seconds else 0.0

    @property
    def at_first_try(self) -> list[Return]:
        """The returns of clients that came back at the first try."""
        return [one for one in self.returns if one.is_at_first_try]


def middle_and_most(values: Sequence[float]) -> tuple[float, float]:
    """Return the median, and what nine in ten are not above; 0 where there are no values."""
    if not values:
        return 0.0, 0.0
    if len(values) == 1:
        return values[0], values[0]
    tenths = quantiles(values, n=10, method="inclusive")
    return tenths[4], tenths[8]
