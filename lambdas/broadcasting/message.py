"""A broadcast as a producer asks for it: the body of one SQS message, parsed and checked.

The whole contract is known here, so that a typo is refused and never turns into a broadcast to
all connections.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from broadcasting.audience import MOST_IDS, Audience, content_of
from broadcasting.checks import CHANNEL, USER, Check, ids, integer, is_unicode, text
from broadcasting.envelopes import refuse_envelope
from broadcasting.errors import RejectedError
from broadcasting.nesting import (
    MOST_LEVELS,
    count_text_levels,
    is_nested_deeper,
    require_few_levels,
)
from broadcasting.strict_json import read_json, shown

_CHECKS: Final[Mapping[str, Check]] = {
    "message": lambda _: "",
    "id": text(64),
    "channel": CHANNEL,
    "user": USER,
    "connections": ids(1, MOST_IDS),
    "exclude": ids(0, MOST_IDS),
    "ttlSeconds": integer(1, 86_400),
}
_AUDIENCES: Final = ("channel", "user", "connections")
_MOST_ID_BYTES: Final = 1024
"""More than any release takes as an id, and less than a key of DynamoDB has."""
_EXPECTED: Final = ', expected an object like {"message": "hello"}'


class Broadcast(NamedTuple):
    """A message, any JSON value, and whom it is for. `id` is the idempotency key.

    No connection is posted to any more when the message is older than `ttl_seconds`; None is for
    a message that does not grow old.
    """

    id: str
    message: Any
    ttl_seconds: int | None = None
    audience: Audience = Audience()

    @property
    def digest(self) -> str:
        """A hash of message and audience, which tells two broadcasts of one id apart."""
        return _digest(self.message, self.audience.content)


def parse_broadcast(body: str, message_id: str) -> Broadcast:
    """Parse the body of an SQS message; `message_id` is the id of a broadcast that names none.

    Raises RejectedError, saying what was found and what was expected.
    """
    request = _object(body)
    refuse_envelope(request)
    _check_nesting(body, request)
    for key, value in request.items():
        _check(key, value)
    if "message" not in request:
        raise RejectedError(f"no message: found {_keys(request)}{_EXPECTED}")
    _check_audience(request)
    return Broadcast(
        id=request.get("id", message_id),
        message=request["message"],
        ttl_seconds=request.get("ttlSeconds"),
        audience=Audience(
            channel=request.get("channel"),
            user=request.get("user"),
            connections=tuple(dict.fromkeys(request.get("connections", ()))),
            exclude=frozenset(request.get("exclude", ())),
        ),
    )


class Identity(NamedTuple):
    """What tells broadcasts apart: the id, and the digest of the content."""

    id: str
    digest: str


def identity_of(body: str, message_id: str) -> Identity | None:
    """Return the identity of a body, None when it has no message or is not JSON.

    It takes what `parse_broadcast` refuses for a limit: a broadcast that an earlier release has
    opened goes on, whatever today's limits say. Never raises.
    """
    try:
        request = json.loads(body)
        if not isinstance(request, dict) or "message" not in request:
            return None
        id_ = request.get("id", message_id)
        if not isinstance(id_, str) or not is_unicode(id_):
            return None
        if not 1 <= len(id_.encode()) <= _MOST_ID_BYTES:
            return None
        return Identity(id_, _digest(request["message"], content_of(request)))
    except (TypeError, ValueError, RecursionError):
        return None


def _digest(message: object, audience: Mapping[str, Any]) -> str:
    """Return a hash of a message and what is said of its audience.

    The time to live is no part of it: a broadcast that is sent again has less of it. Of a message
    for everyone the hash is that of releases that knew no other audience.
    """
    content = json.dumps([message, audience] if audience else [message], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()


def _object(body: str) -> dict[str, Any]:
    pairs: list[tuple[str, Any]] = []

    def keep(found: list[tuple[str, Any]]) -> dict[str, Any]:
        pairs[:] = found  # in the end those of the outermost object: it closes last
        return dict(found)

    try:
        value = read_json(body, object_pairs_hook=keep)
    except ValueError as error:
        raise RejectedError(f"body is not JSON: {error}{_EXPECTED}") from error
    if not isinstance(value, dict):
        raise RejectedError(f"body is a JSON {_json_type(value)}{_EXPECTED}")
    for key, times in Counter(key for key, _ in pairs).items():
        if times > 1:
            raise RejectedError(f"key {shown(key)} is given {times} times, expected once")
    return value


def _check_nesting(body: str, request: Mapping[str, Any]) -> None:
    if not is_nested_deeper(body, MOST_LEVELS + 1):  # the body itself is a level
        return
    require_few_levels(request.get("message"))
    raise RejectedError(
        f"body is nested too deeply: {count_text_levels(body)} levels, expected at most "
        f"{MOST_LEVELS}, and these in message"
    )


def _check(key: str, value: object) -> None:
    check = _CHECKS.get(key)
    if check is None:
        raise RejectedError(f"unknown key {shown(key)}: allowed are {', '.join(_CHECKS)}")
    if wrong := check(value):
        raise RejectedError(f"{key}: {wrong}, found {shown(value)}")


def _check_audience(request: Mapping[str, Any]) -> None:
    audiences = [key for key in _AUDIENCES if key in request]
    if len(audiences) > 1:
        raise RejectedError(
            f"two audiences: {' and '.join(audiences)}; expected at most one: "
            "send a broadcast to each"
        )


def _keys(request: Mapping[str, Any]) -> str:
    return shown(sorted(request)) if request else "an empty object"


_JSON_TYPES: Final[tuple[tuple[Callable[[object], bool], str], ...]] = (
    (lambda value: value is None, "null"),
    (lambda value: isinstance(value, bool), "boolean"),
    (lambda value: isinstance(value, str), "string"),
    (lambda value: isinstance(value, list), "array"),
)


def _json_type(value: object) -> str:
    return next((name for matches, name in _JSON_TYPES if matches(value)), "number")
