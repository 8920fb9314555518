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
from wiring import connections_table


def handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Answer 200 once all rows are there, else refuse the client: 400, or 500 without a row.

    The sub-protocol that is chosen goes with the answer; a client that offers none gets none.
    """
    return admit(event, connections_table)


def admit(event: Mapping[str, Any], table: Callable[[], ConnectionsTable]) -> dict[str, Any]:
    """Answer a `$connect` event; the table is asked for once the event is known to be one."""
    try:
        client, offered = parse_connect(event)
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


build_in_lambda(connections_table)
