"""Follows the lines that the functions of a local run print."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_PHYSICAL_NAME = re.compile(r"crier-[a-z]+-(\w+?)[0-9A-F]{8}-\w+")


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line that a function printed, and its fields if it is JSON."""

    function: str
    text: str

    @property
    def name(self) -> str:
        """The function's name in the stack: Connect of `crier-dev-Connect5B7EF7A3-1A2B3C`."""
        return _PHYSICAL_NAME.sub(r"\1", self.function)

    @property
    def fields(self) -> dict[str, Any]:
        """The fields of a line that is a JSON object; empty for any other line."""
        try:
            fields = json.loads(self.text)
        except ValueError:
            return {}
        return fields if isinstance(fields, dict) else {}


class LogFollower:
    """Reads the lines that were added to the files of a folder since the last call."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[Path, int] = {}

    def new_lines(self) -> Iterator[LogLine]:
        """Yield the new lines that are complete; the others come with the next call."""
        for path in sorted(self._folder.glob("*.log")):
            with path.open("rb") as file:
                file.seek(self._read.get(path, 0))
                text, end, _ = file.read().rpartition(b"\n")
            self._read[path] = self._read.get(path, 0) + len(text) + len(end)
            for line in text.split(b"\n") if end else ():
                yield LogLine(path.stem, line.decode(errors="replace"))
