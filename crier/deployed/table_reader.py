"""Reads rows of a table as they are: one, several, those of a key, or their number."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from broadcasting.items import EXPIRY, PARTITION_KEY, SORT_KEY, Key, key_attributes
from broadcasting.retry import Backoff
from crier.deployed.row_values import Item, unexpired
from crier.errors import CrierError, explained

_BATCH = 100
"""As many rows as DynamoDB reads at once.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
"""

_BACKOFF = Backoff(tries=8)
"""How often in a row DynamoDB may look up nothing of what is asked for."""

_PAGE_ROWS = 1_000
"""How many rows one Query reads at most: it bounds the memory of a list."""


class TableReader:
    """The rows of a table that have not expired; `epoch_seconds` is the time.

    Each row has its key, its expiry and the attributes that are named. Each method raises
    CrierError when DynamoDB refuses.
    """

    def __init__(self, client: Any, table_name: str, *, epoch_seconds: Callable[[], float]) -> None:
        self._client = client
        self._table_name = table_name
        self._epoch_seconds = epoch_seconds

    def get(self, key: Key, names: Sequence[str]) -> Item | None:
        """Return one row, None when there is none."""
        with explained(f"the row {' / '.join(key)} was not read"):
            answer = self._client.get_item(
                TableName=self._table_name,
                Key=key_attributes(key),
                ConsistentRead=True,
                **_only(names),
            )
        return next(self._unexpired([answer["Item"]] if "Item" in answer else []), None)

    def get_all(self, keys: Sequence[Key], names: Sequence[str]) -> Iterator[Item]:
        """Yield the rows that there are of some keys, in any order."""
        for start in range(0, len(keys), _BATCH):
            some = [key_attributes(key) for key in keys[start : start + _BATCH]]
            yield from self._unexpired(self._batch(some, _only(names)))

    def query(
        self, pk: str, prefix: str, names: Sequence[str], *, limit: int | None = None
    ) -> Iterator[Item]:
        """Yield the rows whose sort keys begin with `prefix`: all of them, or the last `limit`.

        The last ones come the newest first. An empty prefix is that of all sort keys. A page is
        read once the rows of the page before it have been taken.
        """
        options = {
            "ScanIndexForward": limit is None,
            "PaginationConfig": {"MaxItems": limit, "PageSize": limit or _PAGE_ROWS},
            **_only(names),
        }
        for page in self._pages(pk, prefix, options):
            yield from self._unexpired(page["Items"])

    def count(self, pk: str, prefix: str) -> int:
        """Return the number of rows whose sort keys begin with `prefix`."""
        options: dict[str, Any] = {
            "Select": "COUNT",
            "FilterExpression": "attribute_not_exists(#expiry) OR #expiry > :now",
            "ExpressionAttributeNames": {"#expiry": EXPIRY},
            "ExpressionAttributeValues": {":now": {"N": str(int(self._epoch_seconds()))}},
        }
        return sum(page["Count"] for page in self._pages(pk, prefix, options))

    def _batch(self, keys: list[Item], options: dict[str, Any]) -> Iterator[Item]:
        """Yield the rows of up to 100 keys; ask again, with backoff, for what is not looked up."""
        what = f"rows of the table {self._table_name} were not read"
        vain = 0
        while keys:
            wanted = {"Keys": keys, "ConsistentRead": True, **options}
            with explained(what):
                answer = self._client.batch_get_item(RequestItems={self._table_name: wanted})
            yield from answer["Responses"].get(self._table_name, [])
            left = answer["UnprocessedKeys"].get(self._table_name, {}).get("Keys", [])
            vain = vain + 1 if len(left) == len(keys) else 0
            if vain == _BACKOFF.tries:
                raise CrierError(f"{what}: DynamoDB has left {len(left)} of them, try again later")
            time.sleep(_BACKOFF.seconds(vain, 1.0) if left else 0)
            keys = left

    def _pages(self, pk: str, prefix: str, options: dict[str, Any]) -> Iterator[dict[str, Any]]:
        condition, names, values = "#p = :pk", {"#p": PARTITION_KEY}, {":pk": {"S": pk}}
        if prefix:  # DynamoDB refuses an empty one, and a name or a value that is not used
            condition += " AND begins_with(#s, :prefix)"
            names["#s"] = SORT_KEY
            values[":prefix"] = {"S": prefix}
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table_name,
            KeyConditionExpression=condition,
            ExpressionAttributeNames=names | options.pop("ExpressionAttributeNames"),
            ExpressionAttributeValues=values | options.pop("ExpressionAttributeValues", {}),
            ConsistentRead=True,
            **options,
        )
        with explained(f"the rows of {pk} were not read"):
            yield from pages

    def _unexpired(self, items: Iterable[Item]) -> Iterator[Item]:
        return unexpired(items, self._epoch_seconds())


def _only(names: Sequence[str]) -> dict[str, Any]:
    """Ask for some attributes; each under another name, as some are reserved words."""
    others = {
        f"#{number}": name for number, name in enumerate((*names, PARTITION_KEY, SORT_KEY, EXPIRY))
    }
    return {"ProjectionExpression": ", ".join(others), "ExpressionAttributeNames": others}
