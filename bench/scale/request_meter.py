"""Counts the requests of boto3 clients, and the DynamoDB units that they are charged as.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/on-demand-capacity-mode.html
"""

import math
from collections import Counter
from collections.abc import Mapping
from threading import Lock
from typing import Any

_WRITE_BYTES, _READ_BYTES = 1024, 4096
ROW_BYTES = 60
"""A row of the connections table: its four attributes, their names included."""

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
            self.write_units += _write_units(model.name, params)
            if model.name == CLEANUP:
                self.cleanup_write_units += sum(map(len, params["RequestItems"].values()))

    def _count_answer(self, parsed: Mapping[str, Any], model: Any, **_: object) -> None:
        with self._lock:
            self.read_units += _read_units(model.name, parsed)


def _write_units(operation: str, params: Mapping[str, Any]) -> float:
    if operation == "PutItem":
        return _units(params["Item"], _WRITE_BYTES)
    if operation == "TransactWriteItems":
        puts = (one["Put"]["Item"] for one in params["TransactItems"])
        return 2.0 * sum(_units(item, _WRITE_BYTES) for item in puts)
    return 1.0 if operation == "UpdateItem" else 0.0


def _read_units(operation: str, answer: Mapping[str, Any]) -> float:
    if operation == "GetItem":
        return _units(answer.get("Item", {}), _READ_BYTES)
    if operation == "Query":
        return max(1, math.ceil(len(answer.get("Items", ())) * ROW_BYTES / _READ_BYTES))
    return 0.0


def _units(item: Mapping[str, Mapping[str, Any]], unit_bytes: int) -> int:
    """Return the units of one item, read consistently or written: one at least."""
    size = sum(len(name) + _bytes(value) for name, value in item.items())
    return max(1, math.ceil(size / unit_bytes))


def _bytes(value: Mapping[str, Any]) -> int:
    ((kind, content),) = value.items()
    if kind == "N":
        return len(content) // 2 + 1
    return len(content if isinstance(content, bytes) else content.encode())
