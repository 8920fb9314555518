"""What requests to DynamoDB are charged as, in units of on-demand capacity.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/on-demand-capacity-mode.html
"""

import math
from collections.abc import Mapping
from typing import Any

_WRITE_BYTES, _READ_BYTES = 1024, 4096
ROW_BYTES = 60
"""A row of the connections table: its four attributes, their names included."""


def write_units(operation: str, params: Mapping[str, Any]) -> float:
    """Return the write units of a request, deletes of stale rows aside."""
    if operation == "PutItem":
        return _units(params["Item"], _WRITE_BYTES)
    if operation == "TransactWriteItems":
        puts = (one["Put"]["Item"] for one in params["TransactItems"])
        return 2.0 * sum(_units(item, _WRITE_BYTES) for item in puts)
    return 1.0 if operation == "UpdateItem" else 0.0


def read_units(operation: str, answer: Mapping[str, Any]) -> float:
    """Return the read units of an answer."""
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
