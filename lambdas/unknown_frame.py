"""`$default`: answers a frame from a client with an error, as clients only listen so far."""

import json
from collections.abc import Mapping
from typing import Any

_SHOWN_CHARACTERS = 80


def handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Return a JSON error that API Gateway sends back on the same connection."""
    frame = event.get("body") or ""
    answer = {
        "error": "unknown frame",
        "found": frame[:_SHOWN_CHARACTERS],
        "expected": "nothing: this API only broadcasts; clients listen",
    }
    return {"statusCode": 200, "body": json.dumps(answer)}
