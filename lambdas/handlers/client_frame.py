"""`$default`: answers a frame from a client with an error, as clients only listen so far."""

import json
from collections.abc import Mapping
from typing import Any

from handlers.events import MESSAGE, EventError, connection_id_of, frame_of
from log import logger

_SHOWN_CHARACTERS = 80


def handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Return a JSON error that API Gateway sends back on the same connection; 400 without one."""
    try:
        connection_id_of(event, MESSAGE)
        frame = frame_of(event)
    except EventError as error:
        logger.warning("ignored an event", reason=str(error))
        return {"statusCode": 400}
    answer = {
        "error": "unknown frame",
        "found": frame[:_SHOWN_CHARACTERS],
        "expected": "nothing: this API only broadcasts; clients listen",
    }
    return {"statusCode": 200, "body": json.dumps(answer)}
