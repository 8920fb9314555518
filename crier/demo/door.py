"""How clients of the demo come in, by tickets, and which of their rows are left."""

import time
from collections.abc import Sequence
from threading import Event
from typing import Any

from broadcasting.door_rows import TICKET
from broadcasting.items import Key
from crier.deployed.connection_rows import ConnectionRows
from crier.deployed.deployment import Deployment

_TICKET_SECONDS = 60
_ROWS_SECONDS = 30.0
_PAUSE_SECONDS = 0.2


class Door:
    """The connections table of a stack that lets clients in by tickets."""

    def __init__(self, deployment: Deployment) -> None:
        self._url = deployment.web_socket_url
        self._table_name = deployment.connections_table_name
        self._client = deployment.client("dynamodb")
        self._rows = ConnectionRows.of(deployment, wait=Event().wait)

    def url_for(self, user: str, channels: Sequence[str]) -> str:
        """Return a URL with a new ticket: it lets one client in, once, on these channels."""
        ticket = self._rows.new_ticket(
            user=user, channels=channels, expires_seconds=int(time.time()) + _TICKET_SECONDS
        )
        return f"{self._url}?token={ticket}"

    def rows_left(self, connection_id: str = "") -> int:
        """Return how many rows of a connection, or of all, are left after half a minute.

        That is sooner 0, once the disconnect function has deleted them all.
        """
        give_up = time.monotonic() + _ROWS_SECONDS
        while (left := len(self._keys_of(connection_id))) and time.monotonic() < give_up:
            time.sleep(_PAUSE_SECONDS)
        return left

    def _keys_of(self, connection_id: str) -> list[Key]:
        """Return the keys of rows whose keys name a connection; tickets are none of them."""
        pages: Any = self._client.get_paginator("scan").paginate(
            TableName=self._table_name, ConsistentRead=True
        )
        items = (item for page in pages for item in page["Items"])
        keys = [(item["pk"]["S"], item["sk"]["S"]) for item in items]
        return [
            key for key in keys if not key[0].startswith(TICKET) and connection_id in "/".join(key)
        ]
