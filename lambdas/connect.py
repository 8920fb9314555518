"""`$connect`: writes the connection's row before the client is let in."""

from collections.abc import Mapping
from typing import Any

from events import EventError, parse_connect
from observability import logger
from storage.errors import WriteError
from wiring import connections_table


def handler(event: Mapping[str, Any], _context: object) -> dict[str, int]:
    """Answer 200 once the row is there, else refuse the client: 400, or 500 without a row."""
    try:
        connection = parse_connect(event)
        connections_table().add(connection)
    except EventError as error:
        logger.error("refused a connection", reason=str(error))
        return {"statusCode": 400}
    except WriteError as error:
        logger.error("refused a connection", reason=str(error))
        return {"statusCode": 500}
    logger.info("connected", connection_id=connection.id)
    return {"statusCode": 200}
