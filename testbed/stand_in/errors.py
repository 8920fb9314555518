"""The error answers of `@connections`: JSON bodies and types as the service sends them."""

import json

from testbed.stand_in.reaction import Answer

_ERRORS = {
    400: ("BadRequestException", "Bad Request"),
    403: ("ForbiddenException", "Forbidden"),
    410: ("GoneException", "Gone"),
    413: ("PayloadTooLargeException", "Payload Too Large"),
    429: ("LimitExceededException", "Rate exceeded"),
    500: ("InternalServerErrorException", "Internal server error"),
    503: ("ServiceUnavailableException", "Service Unavailable"),
}


def error_answer(
    status: int, message: str = "", *, delay_seconds: float = 0.0, close: bool = False
) -> Answer:
    """Return the service's answer for one of its error statuses."""
    kind, usual_message = _ERRORS[status]
    return Answer(
        status,
        body=json.dumps({"message": message or usual_message}).encode(),
        headers=(("x-amzn-ErrorType", kind),),
        close=close,
        delay_seconds=delay_seconds,
    )
