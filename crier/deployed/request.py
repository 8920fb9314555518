"""The body that `crier send` enqueues, checked by the rules of the broadcast function."""

import json
import re
import time
from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any
from uuid import UUID

from broadcasting.errors import RejectedError
from broadcasting.frame import encode_frame
from broadcasting.message import Broadcast, parse_broadcast
from broadcasting.nesting import require_few_levels
from broadcasting.strict_json import read_json

_LONGEST_SEQ = 10**12
_SOME_MESSAGE_ID = str(UUID(int=0))
"""It has the length of the id that SQS will give, which counts towards the frame's size."""

_BLANK = re.compile(r"[\s\ufeff]*")
_BEGINNINGS_OF_JSON = ("{", "[", '"')
"""A text may begin like a number, true, false or null: `5 o'clock`, `nullify`."""


_EVERYONE: Mapping[str, Any] = MappingProxyType({})


def request_of(
    text: str,
    id_: str | None = None,
    ttl_seconds: int | None = None,
    *,
    audience: Mapping[str, Any] = _EVERYONE,
    as_text: bool = False,
) -> dict[str, Any]:
    """Return the body of a broadcast: JSON is sent as JSON, anything else as a text.

    `audience` has the keys that say whom it is for; without one it is for everyone. With `as_text`
    everything is sent as a text. Raises RejectedError when the broadcast function would reject the
    body, when the text begins like JSON but is not, and when the text is empty.
    """
    options = {"id": id_, "ttlSeconds": ttl_seconds}
    request = {"message": text if as_text else _json_or_text(text)} | {
        name: value for name, value in options.items() if value is not None
    }
    request |= audience
    checked(request)
    return request


def checked(request: Any, message_id: str = _SOME_MESSAGE_ID) -> Broadcast:
    """Return the broadcast that the function will make of a body.

    Raises RejectedError when the function would reject the body.
    """
    broadcast = parse_broadcast(json.dumps(request), message_id)
    encode_frame(broadcast, int(time.time() * 1000), _LONGEST_SEQ)
    return broadcast


def repeated_key(text: str) -> str:
    """Return the first key that stands twice in one object of a JSON text, empty when none does.

    That is not an error: as in other programs, the last of the two counts.
    """
    repeated: list[str] = []

    def keep(pairs: list[tuple[str, Any]]) -> None:
        times = Counter(key for key, _ in pairs)
        repeated.extend(key for key in times if times[key] > 1)

    try:
        read_json(_without_mark(text), object_pairs_hook=keep)
    except (ValueError, RejectedError):
        return ""
    return next(iter(repeated), "")


def _json_or_text(text: str) -> Any:
    begin = _BLANK.match(text)
    bare = text[begin.end() :] if begin else text
    if not bare:
        raise RejectedError(
            "the message is empty; is a variable not set? With --text it is sent as it is"
        )
    if not bare.startswith(_BEGINNINGS_OF_JSON) and len(bare.split()) > 1:
        return text  # "1e400 people": the reader of JSON would first see a number
    try:
        message = read_json(_without_mark(text))
    except json.JSONDecodeError as error:
        if not bare.startswith(_BEGINNINGS_OF_JSON):
            return text
        raise RejectedError(
            f"the message begins like JSON but is not: {error.msg} in line {error.lineno}, "
            f"column {error.colno}; correct it, or send it as a text with --text"
        ) from error
    require_few_levels(message)
    return message


def _without_mark(text: str) -> str:
    """Return a text without the byte-order mark at its beginning, which JSON does not allow."""
    return text.removeprefix("\ufeff")
