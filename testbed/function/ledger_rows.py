"""Rows of the ledger, as a test looks at them, changes them, and lets TTL delete some."""

from collections.abc import Callable, Iterator
from typing import Any

from broadcasting.ledger_items import partition_of_broadcast

Item = dict[str, Any]


class LedgerRows:
    """The rows of one ledger."""

    def __init__(self, dynamodb: Any, table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    def __iter__(self) -> Iterator[Item]:
        """Yield all of them."""
        pages = self._dynamodb.get_paginator("scan").paginate(TableName=self._table)
        for page in pages:
            yield from page["Items"]

    def of(self, broadcast_id: str) -> dict[str, Item]:
        """Return a broadcast's rows by their sort keys."""
        pk = partition_of_broadcast(broadcast_id)
        return {item["sk"]["S"]: item for item in self if item["pk"]["S"] == pk}

    def put(self, item: Item) -> None:
        """Write a row as it is."""
        self._dynamodb.put_item(TableName=self._table, Item=item)

    def change(self, broadcast_id: str, sort_key: str, **attributes: Any) -> None:
        """Change attributes of a broadcast's row."""
        self.put(self.of(broadcast_id)[sort_key] | attributes)

    def delete(self, is_deleted: Callable[[str, str], bool]) -> int:
        """Delete rows by partition and sort key, as TTL may have done so far; return how many."""
        chosen = [one for one in self if is_deleted(one["pk"]["S"], one["sk"]["S"])]
        for item in chosen:
            key = {"pk": item["pk"], "sk": item["sk"]}
            self._dynamodb.delete_item(TableName=self._table, Key=key)
        return len(chosen)

    def keep_only(self, broadcast_id: str, *sort_keys: str) -> None:
        """Delete all expired rows but some of a broadcast; counters and the budget stay."""
        pk = partition_of_broadcast(broadcast_id)

        def is_deleted(of: str, sort_key: str) -> bool:
            is_counter = sort_key == "sequence" or of == "budget"
            return not is_counter and not (of == pk and sort_key in sort_keys)

        self.delete(is_deleted)
