"""Both tables in memory, as the functions' client reaches them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from broadcasting.items import key_attributes
from testbed.model.ledger_dynamo import Key, LedgerDynamo

CONNECTIONS, BROADCASTS = "connections", "broadcasts"


class _NoEvents:
    """Where botocore's clients take hooks."""

    events: "_NoEvents"

    def register(self, *_: object) -> None:
        """Take a hook that is never called."""


@dataclass
class TwoTables:
    """The tables by their names; a batch reads and writes both."""

    epoch_ms: Callable[[], int]
    tables: dict[str, LedgerDynamo] = field(init=False)

    def __post_init__(self) -> None:
        """Begin with empty tables."""
        self.tables = {name: LedgerDynamo(self.epoch_ms) for name in (CONNECTIONS, BROADCASTS)}

    @property
    def connections(self) -> dict[Key, dict[str, Any]]:
        """The rows of the connections table."""
        return self.tables[CONNECTIONS].items

    @property
    def broadcasts(self) -> dict[Key, dict[str, Any]]:
        """The rows of the broadcasts table."""
        return self.tables[BROADCASTS].items

    def request(self, name: str, request: dict[str, Any]) -> Any:
        """Make a request by its name, as boto3 names it."""
        if name in ("batch_get_item", "batch_write_item"):
            return getattr(self, f"_{name}")(request["RequestItems"])
        table = request.get("TableName") or request["TransactItems"][0]["Put"]["TableName"]
        return getattr(self.tables[table], name)(**request)

    def _batch_get_item(self, wanted: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, list[Any]] = {}
        for name, one in wanted.items():
            items = self.tables[name].items
            keys = [(key["pk"]["S"], key["sk"]["S"]) for key in one["Keys"]]
            assert len(keys) == len(set(keys)) <= 100
            found[name] = [items[key] | key_attributes(key) for key in keys if key in items]
        return {"Responses": found}

    def _batch_write_item(self, wanted: dict[str, Any]) -> dict[str, Any]:
        for name, writes in wanted.items():
            items, keys = self.tables[name].items, set()
            for one in writes:
                row = (
                    one["PutRequest"]["Item"]
                    if "PutRequest" in one
                    else (one["DeleteRequest"]["Key"])
                )
                key = (row["pk"]["S"], row["sk"]["S"])
                keys.add(key)
                if "PutRequest" in one:
                    items[key] = row
                else:
                    items.pop(key, None)
            assert len(keys) == len(writes) <= 25
        return {}


class StepClient:
    """A client of botocore's whose requests are made by `call(name, request)`."""

    class meta:  # noqa: N801 - botocore's name
        """What botocore keeps of a client."""

        events = _NoEvents()

    def __init__(self, call: Callable[[str, dict[str, Any]], Any]) -> None:
        self._call = call

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """Return a request by its name."""
        return lambda **request: self._call(name, request)

    def close(self) -> None:
        """Close no connection."""
