"""What clients are answered, as text; the frames in it are the texts that were posted. Pure."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from broadcasting.client_refusal import RefusedFrameError
from broadcasting.position import Position

ANSWER_BYTES: Final = 128 * 1024
"""What API Gateway delivers at most.

https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
"""

_ENVELOPE_BYTES: Final = 512
_POSITION_BYTES: Final = 256
"""More than an answer has around its positions, and a position around its frames: a `ref` of 64
characters, each escaped; a connection's id of 128; five numbers of 16 digits; an epoch of 32."""


def room_for_frames(channels: Iterable[str]) -> int:
    """Return how many bytes frames may take of an answer about these channels."""
    return ANSWER_BYTES - _ENVELOPE_BYTES - sum(len(one) + _POSITION_BYTES for one in channels)


def encode_joined(
    ref: str | None,
    positions: Mapping[str, Position],
    *,
    connection_id: str,
    renew_in_ms: int,
) -> str:
    """Answer a join: in `renew_in_ms` milliseconds the connection ends."""
    return _answer(
        "joined",
        ref,
        connectionId=_text(connection_id),
        renewInMs=_text(renew_in_ms),
        channels=_channels(positions),
    )


def encode_subscribed(ref: str | None, positions: Mapping[str, Position]) -> str:
    """Answer a subscribe."""
    return _answer("subscribed", ref, channels=_channels(positions))


def encode_unsubscribed(ref: str | None, channels: Iterable[str]) -> str:
    """Answer an unsubscribe."""
    return _answer("unsubscribed", ref, channels=_text(list(channels)))


def encode_replay(ref: str | None, channel: str, position: Position) -> str:
    """Answer a replay."""
    return _answer("replay", ref, channel=_text(channel), **_fields(position))


def encode_pong(ref: str | None, at: Mapping[str, int]) -> str:
    """Answer a ping with the newest numbers."""
    return _answer("pong", ref, at=_text(at))


def encode_error(error: RefusedFrameError) -> str:
    """Answer a frame that is refused."""
    when = {} if error.after_ms is None else {"afterMs": _text(error.after_ms)}
    return _answer(
        "error",
        error.ref,
        code=_text(error.code.value),
        message=_text(error.message),
        retry=_text(error.after_ms is not None),
        **when,
    )


def _channels(positions: Mapping[str, Position]) -> str:
    return _object({name: _object(_fields(one)) for name, one in positions.items()})


def _fields(position: Position) -> dict[str, str]:
    """Return the keys of a position, and the JSON text of each value."""
    fields = {
        "epoch": _text(position.epoch),
        "seq": _text(position.seq),
        "from": _text(position.start),
        "to": _text(position.end),
        "frames": f"[{','.join(position.frames)}]",
    }
    if position.more:
        fields["more"] = "true"
    if lost := position.lost:
        fields["lost"] = _text({"from": lost.start, "to": lost.end, "reason": lost.reason.value})
    return fields


def _answer(type_: str, ref: str | None, **fields: str) -> str:
    named = {} if ref is None else {"ref": _text(ref)}
    return _object({"type": _text(type_), **named, **fields})


def _object(fields: Mapping[str, str]) -> str:
    """Return an object as JSON, made of the JSON texts of its values."""
    return "{" + ",".join(f"{_text(name)}:{text}" for name, text in fields.items()) + "}"


def _text(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))
