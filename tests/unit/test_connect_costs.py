"""What a connect costs, as the page for operators says, follows from the counts and the prices."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from bench.scale import prices

ROOT = Path(__file__).parents[2]
RUNNING = (ROOT / "docs" / "operator" / "running.md").read_text()
CONNECTS = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """What is added to a connect and its end; the function's time is in GB-seconds."""

    functions: int = 0
    gb_seconds: float = 0
    requests: int = 0
    writes: int = 0
    reads: int = 0

    @property
    def dollars(self) -> float:
        """For a million connects."""
        one = (
            self.functions * prices.DOLLARS_PER_INVOCATION
            + self.gb_seconds * prices.DOLLARS_PER_GB_SECOND
            + self.writes * prices.DOLLARS_PER_WRITE_UNIT
            + self.reads * prices.DOLLARS_PER_READ_UNIT
        )
        return one * CONNECTS

    @property
    def cells(self) -> str:
        """As the page has them."""
        time = f"{self.gb_seconds:.4f}" if self.gb_seconds else "0"
        found = (self.functions, time, self.requests, self.writes, self.reads)
        return " | ".join((*map(str, found), f"${self.dollars:.2f}"))


@pytest.mark.parametrize(
    ("what", "added"),
    [
        ("`open`, `iam`", Added()),
        ("`jwt`", Added(functions=1, gb_seconds=0.0025)),
        ("`ticket`", Added(functions=1, gb_seconds=0.0075, requests=2, writes=2)),
        (
            "`denyList`, on top of `jwt` or `ticket`",
            Added(gb_seconds=0.005, requests=1, reads=1),
        ),
        ("a user (all modes but `open`): its rows", Added(requests=1, writes=3)),
    ],
)
def test_connect_costs_what_its_parts_cost(what: str, added: Added) -> None:
    """Each row of the table is its counts, times the prices."""
    assert f"| {what} | {added.cells} |\n" in RUNNING
