"""What the page's buttons may ask of the proxy: `POST /control` with one JSON object.

| object | what it does |
|---|---|
| `{"do": "cut"}` | cuts all connections, without a close frame |
| `{"do": "cut", "connection": ID}` | cuts the one with this id, which `joined` has told |
| `{"do": "refuse", "seconds": N}` | answers new connections 503 for N seconds; 0 ends that |
| `{"do": "drop", "connection": ID, "frames": N}` | drops the next N broadcasts' frames to it |

The answer is `{"connections": N}`, the number of connections that were cut or will miss frames, or
`{"error": TEXT}` with the status 400, or 404 where no connection has this id.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from broadcasting.checks import Check, integer, is_connection_id
from broadcasting.errors import RejectedError
from broadcasting.strict_json import read_json, shown
from crier.errors import CrierError

MOST_SECONDS: Final = 600
MOST_FRAMES: Final = 1_000


@dataclass(frozen=True, slots=True)
class Cut:
    """Cut one connection, or all of them when `connection` is None."""

    connection: str | None = None


@dataclass(frozen=True, slots=True)
class Refuse:
    """Refuse new connections for a time: it counts from now, and replaces an earlier time."""

    seconds: int


@dataclass(frozen=True, slots=True)
class Drop:
    """Drop the next frames of broadcasts to one connection; its answers come all the same."""

    connection: str
    frames: int


Command = Cut | Refuse | Drop
Obey = Callable[[Command], int]
"""Does what a command says, and returns the number of connections that it has reached."""


def parse_command(body: bytes) -> Command:
    """Return the command of a request's body. Raises CrierError, which says what is wrong."""
    try:
        fields = read_json(body.decode())
    except (ValueError, RejectedError) as error:
        raise CrierError(f"found no JSON ({error}), expected an object with `do`") from error
    if not isinstance(fields, dict):
        raise CrierError(f"found {shown(fields)}, expected an object with `do`")
    verb = fields.pop("do", None)
    read = _VERBS.get(verb) if isinstance(verb, str) else None
    if read is None:
        raise CrierError(f"found do={shown(verb)}, expected one of {', '.join(_VERBS)}")
    command = read(fields)
    if fields:
        raise CrierError(f"found {shown(sorted(fields))}, which `{verb}` does not have: leave out")
    return command


def _cut(fields: dict[str, Any]) -> Cut:
    if "connection" not in fields:
        return Cut()
    return Cut(_taken(fields, "connection", _connection))


def _refuse(fields: dict[str, Any]) -> Refuse:
    return Refuse(_taken(fields, "seconds", integer(0, MOST_SECONDS)))


def _drop(fields: dict[str, Any]) -> Drop:
    return Drop(
        _taken(fields, "connection", _connection),
        _taken(fields, "frames", integer(1, MOST_FRAMES)),
    )


_VERBS: Final[dict[str, Callable[[dict[str, Any]], Command]]] = {
    "cut": _cut,
    "refuse": _refuse,
    "drop": _drop,
}


def _taken(fields: dict[str, Any], name: str, check: Check) -> Any:
    """Take a field out of an object, and return its value once it is checked."""
    value = fields.pop(name, None)
    if wrong := check(value):
        raise CrierError(f"found {name}={shown(value)}, {wrong}")
    return value


def _connection(value: object) -> str:
    return "" if is_connection_id(value) else "expected a connection's id, as `joined` tells it"
