"""What a `$connect` event announces: a connection, and whose it is."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from broadcasting.audience import Connection
from broadcasting.connecting_client import ConnectingClient
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


def _client_of(connection: Connection, context: Mapping[str, Any]) -> ConnectingClient:
    """Return whose connection it is: as the authorizer says, else the IAM principal, else nobody's.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-lambda-auth.html
    """
    found = context.get("authorizer")
    authorizer: Any = {} if found is None else found
    if not isinstance(authorizer, dict):
        raise EventError({"authorizer": shape_of(found)}, "requestContext.authorizer, an object")
    user: Any = (authorizer.get("principalId") or "") if authorizer else _iam_user(context)
    try:
        return ConnectingClient(connection, user, _expiry_of(authorizer))
    except ValueError as error:
        shapes = {"user": shape_of(user), "exp": shape_of(authorizer.get("exp"))}
        expected = "the name of a user, and an end of its token that is to come"
        raise EventError(shapes, f"{expected} ({error!s:.200})") from error


def _iam_user(context: Mapping[str, Any]) -> object:
    """Return the unique id of the IAM principal that signed the request, None if none did."""
    identity = context.get("identity")
    if not isinstance(identity, dict) or not identity.get("userArn"):
        return None
    return identity.get("user")


def _expiry_of(authorizer: Mapping[str, Any]) -> int | None:
    """Return when the client's token expires, as the authorizer says, in epoch seconds."""
    found = authorizer.get("exp")
    if isinstance(found, str) and _SECONDS.fullmatch(found):
        return int(found)
    if found is None or (isinstance(found, int) and not isinstance(found, bool)):
        return found
    raise EventError({"exp": shape_of(found)}, "requestContext.authorizer.exp in epoch seconds")
