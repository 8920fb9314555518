"""What a simulation came to: the values that bench/results/simulate.json holds."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench import result_file
from bench.paths import RESULTS
from bench.simulate.cut import Reconnects
from bench.simulate.herd import Herd
from bench.target import Target

LATEST = RESULTS / "simulate.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What came of a scenario. Shares are of all posts, or of the mean of all workers."""

    workers: int
    quota: int
    connections: int
    has_others: bool
    is_shared: bool
    floor_seconds: float
    seconds: float
    throttled_share: float
    pending: int
    """Connections that were tried in vain, to be tried again by a later slice."""
    slowest_share: float
    """What the slowest worker had posted at half time."""
    small_seconds: float
    """How long the small broadcast took."""
    requests: int
    """Writes to the budget's row, those refused included."""
    requests_per_second: float
    small_requests: int
    trace: tuple[tuple[float, int, int], ...] = ()
    """Tenths of a second: since when, posts that got through, posts that were throttled."""

    @property
    def ratio(self) -> float:
        """The time against the floor."""
        return self.seconds / self.floor_seconds


def write(
    assumptions: Mapping[str, Any],
    runs: Sequence[Run],
    targets: Sequence[Target],
    *,
    herds: Mapping[str, Herd],
    reconnects: Mapping[str, Reconnects],
    path: Path = LATEST,
) -> None:
    """Write all there is to say as JSON, figures rounded."""
    members = {
        "assumptions": assumptions,
        "runs": [_rounded(asdict(run)) for run in runs],
        "herds": {name: _rounded(asdict(one)) for name, one in herds.items()},
        "reconnects": {name: _rounded(asdict(one)) for name, one in reconnects.items()},
        "targets": [target.facts() for target in targets],
    }
    result_file.write(path, members)


def _rounded(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: round(value, 4) if isinstance(value, float) else value
        for name, value in facts.items()
    }
