"""What `crier send` enqueues, checked with the very rules of the broadcast function."""

import json
import time
from typing import Any
from uuid import UUID

from broadcasting.errors import RejectedError
from broadcasting.frame import encode_frame
from broadcasting.message import Broadcast, parse_broadcast
from broadcasting.strict_json import read_json

_LONGEST_SEQ = 10**12
_SOME_MESSAGE_ID = str(UUID(int=0))
"""As long as the id that SQS will give: it counts towards the size of the frame."""


def request_of(text: str, id_: str | None = None, ttl_seconds: int | None = None) -> dict[str, Any]:
    """Return the body of a broadcast: JSON is sent as such, anything else as a text.

    Raises RejectedError when the broadcast function would.
    """
    options = {"id": id_, "ttlSeconds": ttl_seconds}
    request = {"message": _json_or_text(text)} | {
        name: value for name, value in options.items() if value is not None
    }
    checked(request)
    return request


def checked(request: Any, message_id: str = _SOME_MESSAGE_ID) -> Broadcast:
    """Return the broadcast that the function will make of a body.

    Raises RejectedError when the broadcast function would.
    """
    try:
        broadcast = parse_broadcast(json.dumps(request), message_id)
        encode_frame(broadcast, int(time.time() * 1000), _LONGEST_SEQ)
    except RecursionError as error:
        raise RejectedError("message is nested too deeply to be written") from error
    return broadcast


def _json_or_text(text: str) -> Any:
    try:
        return read_json(text)
    except ValueError:
        return text
