"""The form of all result files: JSON in which each run and each target has a line of its own.

So a change of one figure is a change of one line.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def to_json(members: Mapping[str, Any]) -> str:
    """Return one JSON object: a line for each member, and for each element of a list."""
    lines = ",\n".join(f'"{name}": {_value(value)}' for name, value in members.items())
    return f"{{\n{lines}\n}}\n"


def write(path: Path, members: Mapping[str, Any]) -> None:
    """Write them to a file, in a folder that is made when it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(to_json(members))


def _value(value: Any) -> str:
    if not isinstance(value, list) or not value:
        return json.dumps(value)
    lines = ",\n".join(json.dumps(one) for one in value)
    return f"[\n{lines}\n]"
