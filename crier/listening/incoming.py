"""What a server sends to a client, read from its text and checked. Pure."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import isinf
from typing import Any, Final

from broadcasting.followed_channel import Frame

MOST_SAFE: Final = 2**53 - 1
"""The largest number that every client can hold: those in JavaScript have no larger ones."""

_MOST_DEEP: Final = 100
"""A message is nested 64 deep at most, and an answer has it some levels down."""

_TOO_MANY: Final = "Too Many Requests"


@dataclass(frozen=True, slots=True)
class Broadcast:
    """A frame that came live."""

    frame: Frame


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer to the request `ref`; `positions` are by channel, checked."""

    ref: str
    type: str
    positions: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    newest: Mapping[str, int] = field(default_factory=dict)
    """What a pong says of channels."""
    connection_id: str = ""
    renew_in_ms: float | None = None
    """None when the server says nothing of the end of the connection."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error; `ref` is empty when it answers no request that could be read."""

    ref: str
    code: str
    message: str
    after_ms: float


@dataclass(frozen=True, slots=True)
class Bye:
    """The server ends the connection; `after_ms` is the time in which to come back."""

    code: str
    may_reconnect: bool
    after_ms: float


class Throttled:
    """A request was refused by API Gateway's throttle, which does not say which one."""


class Unknown:
    """A text of a kind that is not known, or not for a client: it is passed over."""


Incoming = Broadcast | Answer | Refusal | Bye | Throttled | Unknown


class MalformedError(ValueError):
    """A text that no server of Crier sends."""


def read(text: str | bytes) -> Incoming:
    """Return what a text says. Raises MalformedError."""
    found = _object(text)
    kind = found.get("type")
    if kind is None:
        return _untyped(found)
    read_one = _READERS.get(kind) if isinstance(kind, str) else None
    return read_one(found) if read_one else Unknown()


def _answer(found: dict[str, Any], **told: Any) -> Answer:
    return Answer(_text(found, "ref"), found["type"], **told)


def _subscribed(found: dict[str, Any]) -> Answer:
    return _answer(
        found,
        positions=_positions(found.get("channels")),
        connection_id=_text(found, "connectionId"),
        renew_in_ms=_ms(found, "renewInMs"),
    )


def _replayed(found: dict[str, Any]) -> Answer:
    return _answer(found, positions={str(found.get("channel")): _position(found)})


def _pong(found: dict[str, Any]) -> Answer:
    newest = found.get("at")
    if not isinstance(newest, dict) or not all(_is_number(one, 0) for one in newest.values()):
        raise MalformedError(f"found {newest!r:.100}, expected the newest numbers of channels")
    return _answer(found, newest=newest)


def _refusal(found: dict[str, Any]) -> Refusal:
    code, message = _text(found, "code") or "error", _text(found, "message")
    return Refusal(_text(found, "ref"), code, message, _ms(found, "afterMs") or 0)


def _bye(found: dict[str, Any]) -> Bye:
    code = _text(found, "code") or "bye"
    return Bye(code, found.get("reconnect") is not False, _ms(found, "afterMs") or 0)


_READERS: Final[Mapping[str, Callable[[dict[str, Any]], Incoming]]] = {
    "joined": _subscribed,
    "subscribed": _subscribed,
    "unsubscribed": _answer,
    "replay": _replayed,
    "pong": _pong,
    "error": _refusal,
    "bye": _bye,
}


def _text(found: Mapping[str, Any], key: str) -> str:
    """Return a text; an empty one for what is none."""
    value = found.get(key)
    return value if isinstance(value, str) else ""


def _object(text: str | bytes) -> dict[str, Any]:
    if isinstance(text, bytes):
        raise MalformedError(f"found {len(text)} bytes that are no text, expected JSON")
    try:
        found = json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise MalformedError(f"found {text!r:.100}, expected a JSON object")
    if _is_deep(found):
        raise MalformedError(f"found {text!r:.100}, nested more than {_MOST_DEEP} deep")
    return found


def _refuse(constant: str) -> None:
    """Refuse NaN and the infinities, which Python's reader takes, and which are no JSON."""
    raise ValueError(constant)


def _finite(literal: str) -> float:
    """Refuse what Python's reader makes an infinity of: its writer would write no JSON."""
    number = float(literal)
    if isinf(number):
        raise ValueError(literal)
    return number


def _is_deep(found: dict[str, Any]) -> bool:
    """Tell whether writing an object as JSON might not end well: its writer calls itself."""
    level: list[Any] = [found]
    for _ in range(_MOST_DEEP):
        values = (one.values() if isinstance(one, dict) else one for one in level)
        level = [one for some in values for one in some if isinstance(one, dict | list)]
    return bool(level)


def _untyped(found: dict[str, Any]) -> Incoming:
    if "seq" in found:
        return Broadcast(_frame(found))
    return Throttled() if found.get("message") == _TOO_MANY else Unknown()


def _frame(found: Any) -> Frame:
    """Return a frame. Raises MalformedError; a time that is none becomes 0."""
    if not isinstance(found, dict) or not _is_number(found.get("seq"), 1):
        raise MalformedError(f"found {found!r:.100}, expected a frame with a seq of 1 or more")
    if not all(isinstance(found.get(key), str) for key in ("id", "channel")):
        raise MalformedError(f"found {found!r:.100}, expected a frame with an id and a channel")
    return found if _ms(found, "sentAt") else {**found, "sentAt": 0}


def _positions(found: Any) -> dict[str, Mapping[str, Any]]:
    if not isinstance(found, dict):
        raise MalformedError(f"found {found!r:.100}, expected the positions of channels")
    return {name: _position(one) for name, one in found.items()}


def _position(found: Any) -> Mapping[str, Any]:
    """Return a position. Raises MalformedError."""
    if not isinstance(found, dict) or not _is_placed(found):
        raise MalformedError(f"found {found!r:.100}, expected a position: epoch, from, to, frames")
    lost = found.get("lost")
    if lost is not None and not (isinstance(lost, dict) and isinstance(lost.get("reason"), str)):
        raise MalformedError(f"found lost {lost!r:.100}, expected it with a reason")
    kept = {key: found[key] for key in ("epoch", "from", "to", "more") if key in found}
    told = {} if lost is None else {"lost": lost}
    return {**kept, **told, "frames": [_frame(one) for one in found["frames"]]}


def _is_placed(found: Mapping[str, Any]) -> bool:
    return (
        isinstance(found.get("epoch"), str)
        and _is_number(found.get("from"), 0)
        and _is_number(found.get("to"), 0)
        and isinstance(found.get("frames"), list)
    )


def _is_number(found: Any, least: int) -> bool:
    return type(found) is int and least <= found <= MOST_SAFE


def _ms(found: Mapping[str, Any], key: str) -> float | None:
    """Return a time in milliseconds; None for what is none."""
    value = found.get(key)
    is_time = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_time and 0 <= value <= MOST_SAFE else None  # type: ignore[operator, arg-type]
