"""Counts the requests of boto3 clients, and the DynamoDB units that they are charged as.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/on-demand-capacity-mode.html
"""

from collections import Counter
from collections.abc import Mapping
from threading import Lock
from typing import Any

from testbed.units import read_units, write_units

CLEANUP = "BatchWriteItem"


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
            if model.name == CLEANUP:
                self.cleanup_write_units += sum(map(len, params["RequestItems"].values()))

    def _count_answer(self, parsed: Mapping[str, Any], model: Any, **_: object) -> None:
        with self._lock:
            self.read_units += read_units(model.name, parsed)
