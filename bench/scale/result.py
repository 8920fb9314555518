"""What was counted at each size, and the file that holds it: bench/results/scale.json."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from bench import result_file
from bench.errors import BenchError
from bench.paths import RESULTS
from bench.scale.prices import AS_OF, Cost, Use
from bench.target import Target

RESULT = RESULTS / "scale.json"

MOST_ADDED_SHARE, MOST_ADDED_SECONDS = 0.1, 0.03
"""Of the time that reading and posting take, or this if that is less."""


@dataclass(frozen=True, slots=True)
class Broadcast:
    """One broadcast; `peak_memory_bytes` is the process's, from its beginning on.

    `seconds` is how long its invocations ran, one after another.
    """

    connections: int
    seconds: float
    peak_memory_bytes: int
    use: Use
    cost: Cost


@dataclass(frozen=True, slots=True)
class Added:
    """How long 3,000 take to be read and posted to, and how much longer with the ledger."""

    alone_seconds: float
    added_seconds: float

    @property
    def most_ms(self) -> float:
        """What may be added."""
        return 1000 * max(MOST_ADDED_SECONDS, MOST_ADDED_SHARE * self.alone_seconds)


def to_json(broadcasts: Sequence[Broadcast], added: Added | None, targets: Sequence[Target]) -> str:
    """Return all of it as JSON."""
    members = {
        "prices_as_of": AS_OF,
        "broadcasts": [asdict(one) for one in broadcasts],
        "account_of_3000": asdict(added) if added else None,
        "targets": [target.facts() for target in targets],
    }
    return result_file.to_json(members)


def read_broadcasts() -> list[Broadcast]:
    """Return what was written last. Raises BenchError when nothing was."""
    try:
        facts = json.loads(RESULT.read_text())
    except FileNotFoundError as error:
        raise BenchError("no counted costs are there: make scale") from error
    return [
        Broadcast(**one | {"use": Use(**one["use"]), "cost": Cost(**one["cost"])})
        for one in facts["broadcasts"]
    ]
