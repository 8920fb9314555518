"""`$disconnect`: removes what `$connect` wrote. API Gateway calls it at best, not always."""

from collections.abc import Callable, Mapping
from typing import Any

from early_building import build_in_lambda
from handlers.arrivals import user_named_in
from handlers.events import DISCONNECT, EventError, connection_id_of
from log import logger
from storage.connections import ConnectionsTable
from storage.errors import WriteError
from wiring import connections_table


def handler(event: Mapping[str, Any], _context: object) -> dict[str, int]:
    """Delete the connection's rows; no client waits for the answer.

    A row that stays is no harm: a broadcast finds its connection gone and deletes it, or it
    expires.
    """
    return forget(event, connections_table)


def forget(event: Mapping[str, Any], table: Callable[[], ConnectionsTable]) -> dict[str, int]:
    """Answer a `$disconnect` event; the table is asked for once the event is known to be one."""
    try:
        connection_id = connection_id_of(event, DISCONNECT)
        table().remove(connection_id, user=user_named_in(event))
    except EventError as error:
        logger.warning("ignored a disconnect", reason=str(error))
        return {"statusCode": 400}
    except WriteError as error:
        logger.error("left a stale row", reason=str(error))
        return {"statusCode": 500}
    logger.info("disconnected", connection_id=connection_id)
    return {"statusCode": 200}


build_in_lambda(connections_table)
