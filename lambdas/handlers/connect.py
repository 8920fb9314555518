"""`$connect`: writes the connection's rows before the client is let in."""

from collections.abc import Callable, Mapping
from typing import Any

from broadcasting.subprotocol import choose
from early_building import build_in_lambda
from handlers.arrivals import parse_connect
from handlers.events import EventError
from log import logger
from storage.connections import ConnectionsTable
from storage.errors import WriteError
from wiring import connections_table, needs_user


def handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Answer 200 once all rows are there, else refuse the client: 400, or 500 without a row.

    The sub-protocol that is chosen goes with the answer; a client that offers none gets none.
    """
    return admit(event, connections_table, needs_user)


def admit(
    event: Mapping[str, Any],
    table: Callable[[], ConnectionsTable],
    must_have_user: Callable[[], bool],
) -> dict[str, Any]:
    """Answer a `$connect` event; the table is asked for once the event is known to be one.

    `must_have_user` says whether the authorizer names a user each time. A client without one has
    then come by a route that lost its authorizer, and is refused.
    """
    try:
        client, offered = parse_connect(event)
        _require_user(client.user, must_have_user)
        table().add(client)
    except EventError as error:
        logger.warning("refused a connection", reason=str(error))
        return {"statusCode": 400}
    except WriteError as error:
        logger.error("refused a connection", reason=str(error))
        return {"statusCode": 500}
    whose = {"user": client.user} if client.user is not None else {}
    logger.info("connected", extra={"connection_id": client.connection.id, **whose})
    chosen = choose(offered)
    return {"statusCode": 200} | ({"headers": {"Sec-WebSocket-Protocol": chosen}} if chosen else {})


def _require_user(user: str | None, must_have_user: Callable[[], bool]) -> None:
    """Refuse a client without a user where each must have one. Raises EventError."""
    if user is None and must_have_user():
        raise EventError({"user": None}, "the user whom the authorizer of this stage names")


build_in_lambda(connections_table)
