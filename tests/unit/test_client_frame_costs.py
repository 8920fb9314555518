"""What a client frame costs, as the page for operators says, follows from counts and prices.

tests/unit/clients/test_client_costs.py counts the same at the wire.
"""

from pathlib import Path
from typing import NamedTuple

import pytest

from bench.scale import prices

ROOT = Path(__file__).parents[2]
RUNNING = (ROOT / "docs" / "operator" / "running.md").read_text()
FRAMES = 1_000_000
GB, SECONDS_FOR_ONE, SECONDS_FOR_A_REQUEST = 0.5, 0.005, 0.005
"""Memory of the function, and the time that we take for a frame and for each request."""


class Asked(NamedTuple):
    """Requests to DynamoDB, and their units, of one frame."""

    requests: int = 0
    writes: int = 0
    reads: float = 0
    messages: int = 2

    @property
    def cells(self) -> str:
        """As the page has them."""
        gb_seconds = GB * (SECONDS_FOR_ONE + self.requests * SECONDS_FOR_A_REQUEST)
        ours = (
            prices.DOLLARS_PER_INVOCATION
            + gb_seconds * prices.DOLLARS_PER_GB_SECOND
            + self.writes * prices.DOLLARS_PER_WRITE_UNIT
            + self.reads * prices.DOLLARS_PER_READ_UNIT
        )
        messages = self.messages * prices.DOLLARS_PER_MESSAGE
        counts = (self.requests, self.writes, f"{self.reads:g}", f"{gb_seconds:.4f}")
        dollars = (f"${ours * FRAMES:.2f}", f"${messages * FRAMES:.2f}")
        return " | ".join((*map(str, counts), *dollars))


@pytest.mark.parametrize(
    ("what", "asked"),
    [
        ("`join`, nothing missed", Asked(1, 0, 2)),
        ("the same, 20 frames of 1 KB missed that are not in memory", Asked(2, 0, 7)),
        ("the same, 100 KB in 100 frames", Asked(2, 0, 27, messages=5)),
        ("`join` with 10 channels, nothing missed", Asked(3, 11, 12)),
        ("`subscribe` to one channel", Asked(3, 2, 2)),
        ("`unsubscribe` from one channel", Asked(2, 2, 0)),
        ("`replay` of what is in memory", Asked(1, 0, 1)),
        ("`ping` with 3 positions", Asked(1, 0, 1.5)),
        ("`ping` without positions; what is refused without a look", Asked()),
    ],
)
def test_client_frame_costs_what_its_parts_cost(what: str, asked: Asked) -> None:
    """Each row of the table is its counts, times the prices."""
    assert f"| {what} | {asked.cells} |\n" in RUNNING
