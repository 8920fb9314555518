"""Counts the write units that DynamoDB would charge for puts and updates of the ledger.

A unit is a KiB of the item, rounded up; in a transaction it counts twice. An update is charged
for the item as it is, whatever it changes: here for the size that its last put had.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/capacity-unit-size.html
"""

import json
from math import ceil
from threading import Lock
from typing import Any

_UNIT_BYTES = 1024
_IN_A_TRANSACTION = 2

Item = dict[str, Any]


class UnitMeter:
    """Takes the bodies of requests, from any thread."""

    def __init__(self) -> None:
        self.units = 0
        self._sizes: dict[str, int] = {}
        self._lock = Lock()

    def count(self, operation: str, body: str) -> None:
        """Count what one request writes; those to the budget's row are not counted."""
        if operation not in ("PutItem", "UpdateItem", "TransactWriteItems"):
            return
        facts = json.loads(body)
        with self._lock:
            if operation != "TransactWriteItems":
                self.units += self._units_of(facts)
                return
            for action in facts["TransactItems"]:
                (write,) = action.values()
                self.units += _IN_A_TRANSACTION * self._units_of(write)

    def _units_of(self, write: Item) -> int:
        key = write.get("Item") or write["Key"]
        name = f"{key['pk']['S']}/{key['sk']['S']}"
        if key["pk"]["S"] == "budget":
            return 0
        if "Item" in write:
            self._sizes[name] = _bytes_of(write["Item"])
        return max(1, ceil(self._sizes.get(name, 1) / _UNIT_BYTES))


def _bytes_of(item: Item) -> int:
    """Return about the size of an item: names and values, binary ones as they are sent."""
    total = 0
    for name, attribute in item.items():
        (value,) = attribute.values()
        total += len(name.encode()) + len(str(value).encode())
    return total
