"""The two tables of a stack, as a soak reads them: whole."""

from typing import Any

from crier.deployed.deployment import Deployment


class Tables:
    """Reads all rows of the connections table, and of the ledger."""

    def __init__(self, deployment: Deployment) -> None:
        self._client = deployment.client("dynamodb")
        self._connections = deployment.connections_table_name
        self._ledger = deployment.ledger_table_name

    def connections(self) -> list[dict[str, Any]]:
        """Return the rows of connections, and tickets."""
        return self._rows(self._connections)

    def ledger(self) -> list[dict[str, Any]]:
        """Return the rows of broadcasts and streams."""
        return self._rows(self._ledger)

    def _rows(self, table: str) -> list[dict[str, Any]]:
        pages: Any = self._client.get_paginator("scan").paginate(
            TableName=table, ConsistentRead=True
        )
        return [item for page in pages for item in page["Items"]]
