"""A DynamoDB in memory that knows the ledger's requests: keys, conditions, transactions.

Faults are injected where the wire would be. Rows that have expired stay, as DynamoDB deletes them
days later.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError

from storage.ledger_table import LedgerTable
from testbed.model.fakes import NOW_MS, FakeTime

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Key = tuple[str, str]
Request = tuple[str, dict[str, Any]]

_FAILED = "ConditionalCheckFailed"


def refusal(code: str, *, status: int = 400, reasons: tuple[str, ...] = ()) -> ClientError:
    """Return what boto3 raises when DynamoDB refuses a write, with the reasons of a cancel."""
    response: Any = {
        "Error": {"Code": code, "Message": "injected"},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    if reasons:
        response["CancellationReasons"] = [{"Code": one} for one in reasons]
    return ClientError(response, "Injected")


def canceled(*reasons: str) -> ClientError:
    """Return what boto3 raises for a canceled transaction: a reason for each row, `None` too."""
    return refusal("TransactionCanceledException", reasons=reasons)


@dataclass
class LedgerDynamo:
    """One table. `before` are errors of the next requests in place of an effect, None for none.

    `after` are errors of the next writes that have had their effect; `meanwhile` is called once,
    after the next write that has `after`. `requests` are those that had an effect.
    """

    epoch_ms: Callable[[], int] = lambda: NOW_MS
    items: dict[Key, dict[str, Any]] = field(default_factory=dict)
    before: list[Exception | None] = field(default_factory=list)
    after: list[Exception] = field(default_factory=list)
    meanwhile: Callable[[], object] = lambda: None
    requests: list[Request] = field(default_factory=list)

    @property
    def table(self) -> LedgerTable:
        """The ledger's table on this DynamoDB."""
        clock = FakeTime().clock._replace(epoch_ms=self.epoch_ms)
        return LedgerTable(cast("DynamoDBClient", self), "ledger", clock=clock)

    def get_item(self, **request: Any) -> dict[str, Any]:
        """Read a row, expired or not."""
        assert request["ConsistentRead"]
        self._fail()
        self.requests.append(("GetItem", request))
        item = self.items.get(_key(request["Key"]))
        return {"Item": item} if item else {}

    def put_item(self, **put: Any) -> None:
        """Write a row."""
        self._fail()
        self._write(("PutItem", put), [put])

    def transact_write_items(self, **request: Any) -> None:
        """Write several rows, all or none."""
        self._fail()
        puts = [one["Put"] for one in request["TransactItems"]]
        assert len({_key(put["Item"]) for put in puts}) == len(puts) <= 100
        self._write(("TransactWriteItems", request), puts)

    def _fail(self) -> None:
        error = self.before.pop(0) if self.before else None
        if error:
            raise error

    def _write(self, request: Request, puts: list[dict[str, Any]]) -> None:
        reasons = ["None" if self.holds(put) else _FAILED for put in puts]
        if _FAILED in reasons:
            is_single = request[0] == "PutItem"
            raise refusal(f"{_FAILED}Exception") if is_single else canceled(*reasons)
        for put in puts:
            assert put["TableName"] == "ledger"
            self.items[_key(put["Item"])] = put["Item"]
        self.requests.append(request)
        if self.after:
            self.meanwhile()
            raise self.after.pop(0)

    def holds(self, put: dict[str, Any]) -> bool:
        """Tell whether a put's condition holds."""
        item = self.items.get(_key(put["Item"]))
        values = put["ExpressionAttributeValues"]
        if put["ConditionExpression"] == "version = :before":
            return item is not None and item["version"] == values[":before"]
        assert put["ConditionExpression"] == "attribute_not_exists(pk) OR expiresAt <= :now"
        if item is None:
            return True
        return "expiresAt" in item and int(item["expiresAt"]["N"]) <= int(values[":now"]["N"])


def _key(attributes: dict[str, Any]) -> Key:
    return attributes["pk"]["S"], attributes["sk"]["S"]
