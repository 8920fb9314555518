"""What was counted at each size: bench/results/scale.json, a table, and the targets."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

from rich.box import SIMPLE_HEAD
from rich.table import Table

from bench.compare import terminal
from bench.compare.result import Target
from bench.errors import BenchError
from bench.scale.prices import AS_OF, Cost, Use
from bench.strategies.registry import ROOT

RESULT = ROOT / "bench" / "results" / "scale.json"

MOST_REQUESTS = 30
MOST_MEMORY_GROWTH = 1.15
MOST_COST_PERCENT = 3.0
MOST_ADDED_SHARE, MOST_ADDED_SECONDS = 0.1, 0.03
"""Whichever is more."""

_SMALL, _LARGE = 3_000, 1_000_000


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
    """How long 3,000 take to be read and posted to, and how much longer with their account."""

    alone_seconds: float
    added_seconds: float

    @property
    def most_ms(self) -> float:
        """What may be added."""
        return 1000 * max(MOST_ADDED_SECONDS, MOST_ADDED_SHARE * self.alone_seconds)


def to_json(broadcasts: Sequence[Broadcast], added: Added | None, targets: Sequence[Target]) -> str:
    """Return all of it as JSON."""
    facts = {
        "prices_as_of": AS_OF,
        "broadcasts": [asdict(one) for one in broadcasts],
        "account_of_3000": asdict(added) if added else None,
        "targets": [asdict(target) for target in targets],
    }
    return json.dumps(facts, indent=1) + "\n"


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


def judge(broadcasts: Sequence[Broadcast], added: Added | None = None) -> list[Target]:
    """Return the targets, with a figure where the sizes that it takes were measured."""
    of_size = {one.connections: one for one in broadcasts}
    return [
        Target(
            name, f"≤ {limit:g}{unit}".strip(), figure, None if figure is None else figure <= limit
        )
        for name, limit, unit, figure in (
            ("DynamoDB and SQS requests for 3,000", MOST_REQUESTS, "", _requests(of_size)),
            ("peak memory at 1,000,000 against 3,000", MOST_MEMORY_GROWTH, " x", _growth(of_size)),
            ("cost of 1,000,000 over the messages'", MOST_COST_PERCENT, " %", _percent(of_size)),
            (
                "added to 3,000 by ledger, lease and checkpoints",
                round(added.most_ms, 1) if added else 1000 * MOST_ADDED_SECONDS,
                " ms",
                round(1000 * added.added_seconds, 1) if added else None,
            ),
        )
    ]


def _requests(of_size: Mapping[int, Broadcast]) -> float | None:
    if _SMALL not in of_size:
        return None
    use = of_size[_SMALL].use
    return use.dynamodb_requests + use.queue_requests


def _growth(of_size: Mapping[int, Broadcast]) -> float | None:
    if not {_SMALL, _LARGE} <= of_size.keys():
        return None
    return round(of_size[_LARGE].peak_memory_bytes / of_size[_SMALL].peak_memory_bytes, 3)


def _percent(of_size: Mapping[int, Broadcast]) -> float | None:
    return round(100 * of_size[_LARGE].cost.share, 3) if _LARGE in of_size else None


def show(broadcasts: Sequence[Broadcast]) -> None:
    """Show what was counted, and what it costs, as a table."""
    table = Table(title=f"One broadcast, counted; dollars as of {AS_OF}", box=SIMPLE_HEAD)
    for name in _COLUMNS:
        table.add_column(name, justify="right")
    for one in broadcasts:
        table.add_row(*(cell(one) for cell in _COLUMNS.values()))
    terminal.out().print(table)


_COLUMNS: Mapping[str, Callable[[Broadcast], str]] = {
    "connections": lambda one: f"{one.connections:,}",
    "function s": lambda one: f"{one.seconds:.1f}",
    "invocations": lambda one: f"{one.use.invocations}",
    "DynamoDB": lambda one: f"{one.use.dynamodb_requests:,}",
    "RRU": lambda one: f"{one.use.read_units:,.0f}",
    "WRU": lambda one: f"{one.use.write_units:,.0f}",
    "SQS": lambda one: f"{one.use.queue_requests}",
    "GB-s": lambda one: f"{one.use.gb_seconds:,.1f}",
    "Lambda $": lambda one: f"{one.cost.function:.6f}",
    "DynamoDB $": lambda one: f"{one.cost.dynamodb:.6f}",
    "SQS $": lambda one: f"{one.cost.queues:.6f}",
    "messages $": lambda one: f"{one.cost.messages:.3f}",
    "ours": lambda one: f"{one.cost.share:.2%}",
    "MB": lambda one: f"{one.peak_memory_bytes / 1e6:.0f}",
}
