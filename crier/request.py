"""What `crier send` enqueues, checked with the very rules of the broadcast function."""

import json
import time
from typing import Any
from uuid import UUID

from broadcasting.errors import RejectedError
from broadcasting.frame import encode_frame
from broadcasting.message import parse_broadcast
from broadcasting.strict_json import read_json

_LONGEST_SEQ = 10**12
_SOME_MESSAGE_ID = str(UUID(int=0))
"""As long as the id that SQS will give: it counts towards the size of the frame."""


def request_of(text: str, id_: str | None) -> dict[str, Any]:
    """Return the body of a broadcast: JSON is sent as such, anything else as a text.

    Raises RejectedError when the broadcast function would.
    """
    request = {"message": _json_or_text(text)} | ({} if id_ is None else {"id": id_})
    try:
        broadcast = parse_broadcast(json.dumps(request), _SOME_MESSAGE_ID)
        encode_frame(broadcast, int(time.time() * 1000), _LONGEST_SEQ)
    except RecursionError as error:
        raise RejectedError("message is nested too deeply to be written") from error
    return request


def _json_or_text(text: str) -> Any:
    try:
        return read_json(text)
    except ValueError:
        return text
