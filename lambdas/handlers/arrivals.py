"""What a `$connect` event announces, and whose connection an event is of."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from broadcasting import checks
from broadcasting.connecting_client import ConnectingClient
from broadcasting.connection import Connection
from broadcasting.subprotocol import split_header
from handlers.events import (
    CONNECT,
    EventError,
    connection_id_of,
    header_values,
    request_context,
    shape_of,
)

_SECONDS = re.compile(r"[0-9]{1,12}")


class Arrival(NamedTuple):
    """A client that connects, and the sub-protocols that it offers, in order."""

    client: ConnectingClient
    subprotocols: list[str]


def parse_connect(event: Mapping[str, Any]) -> Arrival:
    """Return what a `$connect` event announces. Raises EventError."""
    connection_id = connection_id_of(event, CONNECT)
    context = request_context(event)
    connected_at: Any = context.get("connectedAt")
    try:
        connection = Connection(connection_id, connected_at)
    except ValueError as error:
        expected = "requestContext.connectedAt in epoch milliseconds"
        raise EventError({"connectedAt": connected_at}, expected) from error
    client = _client_of(connection, context)
    return Arrival(client, split_header(header_values(event, "sec-websocket-protocol")))


def user_named_in(event: Mapping[str, Any]) -> str | None:
    """Return the user that any event of a connection names; None when it names none, or oddly.

    Raises EventError when it is no event of a WebSocket API.
    """
    context = request_context(event)
    try:
        user = _user_in(context)
    except EventError:
        return None
    return user if isinstance(user, str) and not checks.USER(user) else None


def _client_of(connection: Connection, context: Mapping[str, Any]) -> ConnectingClient:
    """Return whose connection it is, and until when. Raises EventError."""
    user, end = _user_in(context), authorizer_in(context).get("exp")
    try:
        return ConnectingClient(connection, user, seconds_of(end))
    except ValueError as error:
        shapes = {"user": shape_of(user), "exp": shape_of(end)}
        expected = "the name of a user, and an end of its token that is to come"
        raise EventError(shapes, f"{expected} ({error!s:.200})") from error


def _user_in(context: Mapping[str, Any]) -> Any:
    """Return what the authorizer says, else the IAM principal, None for neither; unchecked."""
    authorizer = authorizer_in(context)
    return (authorizer.get("principalId") or "") if authorizer else _iam_user(context)


def authorizer_in(context: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what the authorizer has answered, empty when there is none.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-lambda-auth.html
    """
    found = context.get("authorizer")
    if found is not None and not isinstance(found, dict):
        raise EventError({"authorizer": shape_of(found)}, "requestContext.authorizer, an object")
    return found or {}


def _iam_user(context: Mapping[str, Any]) -> object:
    """Return the unique id of the IAM principal that signed the request, None if none did."""
    identity = context.get("identity")
    if not isinstance(identity, dict) or not identity.get("userArn"):
        return None
    return identity.get("user")


def seconds_of(found: object) -> int | None:
    """Return an end in epoch seconds; an authorizer says it as a text or a number."""
    if isinstance(found, str) and _SECONDS.fullmatch(found):
        return int(found)
    if found is None or isinstance(found, int):
        return found
    raise EventError({"exp": shape_of(found)}, "requestContext.authorizer.exp in epoch seconds")
