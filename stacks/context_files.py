"""Where a name of the CDK context comes from: often no file of this project has it."""

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

_PROJECT = Path(__file__).parents[1] / "cdk.json"


def context_in(folder: Path) -> dict[str, Any]:
    """Return the context that the CDK CLI reads from files when it runs in a folder."""
    files = (_at_home(), folder / "cdk.context.json", folder / "cdk.json")
    return {name: value for path in files for name, value in _context(path).items()}


def origin(name: str, *, cure: str = "take it out") -> str:
    """Return a sentence that says where a name comes from: which file, when one has it.

    `cure` is what to do in that file.
    """
    for path, context in _contexts():
        if name in context:
            return f"It comes from {path}: {cure} there."
    return (
        "It comes from the command line (-c): the context of cdk.json and ~/.cdk.json, and "
        "cdk.context.json, do not have it."
    )


def place_of(name: str, value: object) -> str:
    """Return where a setting was given a value: in a file, or on the command line.

    The value is the one of a file also when it was read from there as another type.
    """
    written = _written(value)
    given = (
        path
        for path, context in _contexts()
        if name in context and _written(context[name]) == written
    )
    path = next(given, None)
    return f"in {path}" if path else f"-c {name}=…"


def _written(value: object) -> str:
    """Return a value as the command line has it: a list with commas."""
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _contexts() -> Iterator[tuple[Path, Any]]:
    """Yield the files that the CDK CLI reads, in its order, with their contexts.

    https://docs.aws.amazon.com/cdk/v2/guide/context.html
    """
    here = Path.cwd()
    for path in (here / "cdk.json", here / "cdk.context.json", _PROJECT, _at_home()):
        yield path, _context(path)


def _context(path: Path) -> dict[str, Any]:
    content = _content(path)
    context = content if path.name == "cdk.context.json" else content.get("context")
    return context if isinstance(context, dict) else {}


def _content(path: Path) -> dict[str, Any]:
    with suppress(OSError, ValueError):
        content = json.loads(path.read_text(encoding="utf-8"))
        return content if isinstance(content, dict) else {}
    return {}


def _at_home() -> Path:
    with suppress(RuntimeError):  # there is no home
        return Path.home() / ".cdk.json"
    return Path(".cdk.json")
