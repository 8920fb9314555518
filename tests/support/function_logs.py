"""Finding structured lines among what the local functions print."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crier.local.logs import LogFollower


@dataclass(frozen=True, slots=True)
class Logs:
    """Looks for structured lines of the functions."""

    folder: Path

    def find(self, **wanted: object) -> list[dict[str, Any]]:
        """Return all lines whose fields are as wanted."""
        lines = [line.fields for line in LogFollower(self.folder).new_lines()]
        return [fields for fields in lines if wanted.items() <= _hashable(fields).items()]


def _hashable(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if not isinstance(value, dict | list)}
