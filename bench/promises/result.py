"""A target, what was measured for it, and the file that holds them all."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

LATEST = Path(__file__).parents[1] / "results" / "promises.json"

Source = Literal["counted", "timed", "modelled"]
"""In the testbed, on this machine's clock, or by the model of DynamoDB's conflicts and units."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One target. `measured` is a text, None for what was not measured; then `met` is None, too."""

    what: str
    target: str
    source: Source
    measured: str | None = None
    met: bool | None = None


def write(figures: Sequence[Figure], path: Path = LATEST) -> None:
    """Write the figures as JSON, one a line."""
    lines = ",\n".join(json.dumps(asdict(one)) for one in figures)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'{{\n"targets": [\n{lines}\n]\n}}\n')
