"""The event of a REQUEST authorizer, as far as it says who connects.

https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-lambda-auth.html
"""

from collections.abc import Mapping
from typing import Any, Final

from access.admission import ConnectRequest
from access.policy import is_method_arn
from access.refusal import Refusal, RefusedError
from broadcasting.subprotocol import split_header
from handlers.events import header_values

TOKEN: Final = "token"  # noqa: S105 - a name
"""The variable of the query that has a token or a ticket."""


def method_arn_of(event: object) -> object:
    """Return what the event names as its route, whatever it is: an answer must name it."""
    return event.get("methodArn") if isinstance(event, dict) else None


def parse_connect_request(event: Mapping[str, Any]) -> ConnectRequest:
    """Return what a client has sent along. Raises RefusedError, which repeats nothing of it."""
    is_ours = isinstance(event, dict) and event.get("type") == "REQUEST"
    if not is_ours or not is_method_arn(event.get("methodArn")):
        raise RefusedError(Refusal.EVENT)
    return ConnectRequest(
        queried=_queried(event),
        protocols=tuple(split_header(header_values(event, "sec-websocket-protocol"))),
        origins=tuple(header_values(event, "origin")),
    )


def _queried(event: Mapping[str, Any]) -> tuple[str, ...]:
    """Return each token of the query: the event's other map has the last one of a name only."""
    several = _of_name(event.get("multiValueQueryStringParameters"))
    single = _of_name(event.get("queryStringParameters"))
    values = single if several is None else several
    values = values if isinstance(values, list) else [] if values is None else [values]
    if not all(isinstance(one, str) for one in values):
        raise RefusedError(Refusal.EVENT)
    return tuple(values)


def _of_name(parameters: object) -> object:
    if parameters is None:
        return None
    if not isinstance(parameters, dict):
        raise RefusedError(Refusal.EVENT)
    return parameters.get(TOKEN)
