"""Counts the requests of boto3 clients, and the DynamoDB units that they are charged as.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/on-demand-capacity-mode.html
"""

from collections import Counter
from collections.abc import Mapping
from threading import Lock
from typing import Any

from testbed.units import read_units, write_units

_CLEANUP = ("BatchGetItem", "BatchWriteItem")
"""What the broadcast function sends for connections that are gone, and for nothing else."""

_EVENTUAL_READ_UNITS = 0.5
"""Of a row of up to 4 KB, also of one that is not there."""


class RequestMeter:
    """Watches clients; what it has counted begins anew with `reset`."""

    def __init__(self) -> None:
        self._lock = Lock()
        self.reset()

    def reset(self) -> None:
        """Begin anew."""
        self.requests: Counter[str] = Counter()
        self.read_units = 0.0
        self.write_units = 0.0
        self.cleanup_requests = 0
        self.cleanup_read_units = 0.0
        self.cleanup_write_units = 0.0

    def watch(self, client: Any) -> None:
        """Count a client's requests, repeated ones once."""
        service = client.meta.service_model.service_name
        client.meta.events.register(f"provide-client-params.{service}.*", self._count)
        client.meta.events.register(f"after-call.{service}.*", self._count_answer)

    def _count(self, params: Mapping[str, Any], model: Any, **_: object) -> None:
        with self._lock:
            self.requests[model.name] += 1
            self.write_units += write_units(model.name, params)
            if model.name in _CLEANUP:
                self._count_cleanup(model.name, params["RequestItems"])

    def _count_cleanup(self, operation: str, tables: Mapping[str, Any]) -> None:
        self.cleanup_requests += 1
        if operation == "BatchGetItem":
            rows = sum(len(wanted["Keys"]) for wanted in tables.values())
            self.cleanup_read_units += rows * _EVENTUAL_READ_UNITS
        else:
            self.cleanup_write_units += sum(map(len, tables.values()))

    def _count_answer(self, parsed: Mapping[str, Any], model: Any, **_: object) -> None:
        with self._lock:
            self.read_units += read_units(model.name, parsed)
