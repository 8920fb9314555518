"""Reads the frames that clients send: strict JSON, in which each key is known and there once."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from broadcasting import checks
from broadcasting.client_refusal import Code, RefusedFrameError, bad_frame
from broadcasting.client_request import (
    After,
    ClientFrame,
    Join,
    Last,
    Ping,
    Replay,
    Request,
    Since,
    Subscribe,
    Unsubscribe,
    Wanted,
)
from broadcasting.errors import RejectedError
from broadcasting.nesting import is_nested_deeper
from broadcasting.strict_json import read_json, shown

MOST_BYTES: Final = 8 * 1024
"""Of a client's frame, as UTF-8."""

_LEVELS: Final = 3
_REF: Final = re.compile(r"[ -~]{1,64}")
_Fields = Mapping[str, Any]


def parse_client_frame(text: str, *, most_last: int) -> ClientFrame:
    """Read a frame; a client may ask for the last `most_last` frames of a channel.

    Raises RefusedFrameError, with the frame's `ref` if that can be read.
    """
    fields = _object(text)
    ref = _ref(fields)
    try:
        return ClientFrame(_request(fields, most_last), ref)
    except RefusedFrameError as error:
        raise error.of(ref) from error


def _object(text: str) -> _Fields:
    if not checks.is_unicode(text):
        raise bad_frame("found a lone surrogate, expected Unicode text")
    size = len(text.encode())
    if size > MOST_BYTES:
        raise bad_frame(f"found {size:,} bytes, expected at most {MOST_BYTES:,}")
    if is_nested_deeper(text, _LEVELS):
        raise bad_frame(f"found deeper nesting, expected at most {_LEVELS} levels")
    try:
        found = read_json(text, object_pairs_hook=_each_once)
    except ValueError as error:
        raise bad_frame(f"found no JSON ({error}), expected an object with an action") from error
    except RejectedError as error:
        raise bad_frame(error.reason) from error
    if not isinstance(found, dict):
        raise bad_frame("found JSON that is no object, expected an object with an action")
    return found


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise bad_frame(f"found key {shown(twice)} more than once, expected each key once")
    return found


def _ref(fields: _Fields) -> str | None:
    if "ref" not in fields:
        return None
    ref = fields["ref"]
    if not isinstance(ref, str) or not _REF.fullmatch(ref):
        raise bad_frame(
            f"ref: expected a string of 1 to 64 printable characters of ASCII, found {shown(ref)}"
        )
    return ref


def _request(fields: _Fields, most_last: int) -> Request:
    action = fields.get("action")
    if not isinstance(action, str):
        raise bad_frame(f"action: found {shown(action)}, expected one of {', '.join(_ACTIONS)}")
    if action not in _ACTIONS:
        raise RefusedFrameError(
            Code.UNKNOWN_ACTION,
            f"found action {shown(action)}, expected one of {', '.join(_ACTIONS)}",
        )
    needed, optional, read = _ACTIONS[action]
    _require_keys(fields, ("action", *needed), (*optional, "ref"))
    return read(fields, most_last)


def _join(fields: _Fields, most_last: int) -> Join:
    return Join(wanted=_wanted(fields, most_last), was=_was(fields))


def _subscribe(fields: _Fields, most_last: int) -> Subscribe:
    return Subscribe(wanted=_wanted(fields, most_last), was=_was(fields))


def _unsubscribe(fields: _Fields, _most_last: int) -> Unsubscribe:
    channels = fields["channels"]
    if not isinstance(channels, list):
        raise bad_frame(f"channels: found {shown(channels)}, expected a list of names")
    if not all(isinstance(one, str) for one in channels):
        raise RefusedFrameError(Code.BAD_CHANNEL, "channels: expected a list of names, all strings")
    return Unsubscribe(channels=tuple(dict.fromkeys(channels)))


def _replay(fields: _Fields, _most_last: int) -> Replay:
    channel = fields["channel"]
    if not isinstance(channel, str):
        raise RefusedFrameError(
            Code.BAD_CHANNEL, f"channel: found {shown(channel)}, expected a name"
        )
    wanted = Wanted(channel, After(fields["from"], fields["epoch"]))
    return Replay(wanted=wanted, was=_was(fields))


def _ping(fields: _Fields, _most_last: int) -> Ping:
    at = _at(fields)
    for channel, seq in at.items():
        Wanted(channel, After(seq, ""))
    return Ping(channels=tuple(at))


def _wanted(fields: _Fields, most_last: int) -> tuple[Wanted, ...]:
    return tuple(Wanted(name, _since(one, most_last)) for name, one in _at(fields).items())


def _at(fields: _Fields) -> Mapping[str, Any]:
    at = fields.get("at", {})
    if not isinstance(at, dict):
        raise bad_frame(f"at: found {shown(at)}, expected an object with channels as keys")
    return at


def _since(found: object, most_last: int) -> Since:
    if found is None:
        return None
    if isinstance(found, dict) and set(found) == {"last"}:
        return Last(found["last"], most_last)
    if isinstance(found, dict) and set(found) == {"seq", "epoch"}:
        return After(found["seq"], found["epoch"])
    raise bad_frame(
        f'at: found {shown(found)} for a channel, expected null, {{"last": 10}} or '
        '{"seq": 41, "epoch": "…"}'
    )


def _was(fields: _Fields) -> tuple[str, ...]:
    was = fields.get("was", [])
    if not isinstance(was, list):
        raise bad_frame(f"was: found {shown(was)}, expected a list of connection ids")
    return tuple(was)


def _require_keys(fields: _Fields, needed: tuple[str, ...], optional: tuple[str, ...]) -> None:
    expected = f"expected {', '.join(needed)} and, optional, {', '.join(optional)}"
    if unknown := [key for key in fields if key not in (*needed, *optional)]:
        raise bad_frame(f"found the unknown key {shown(unknown[0])}, {expected}")
    if missing := [key for key in needed if key not in fields]:
        raise bad_frame(f"found no key {shown(missing[0])}, {expected}")


_ACTIONS: Final[
    Mapping[str, tuple[tuple[str, ...], tuple[str, ...], Callable[[_Fields, int], Request]]]
] = {
    "join": (("at",), ("was",), _join),
    "subscribe": (("at",), ("was",), _subscribe),
    "unsubscribe": (("channels",), (), _unsubscribe),
    "replay": (("channel", "epoch", "from"), ("was",), _replay),
    "ping": ((), ("at",), _ping),
}
"""For each action the keys that it needs, those that it may have besides, and what reads it."""
