"""A DynamoDB in memory that knows the ledger's requests: keys, conditions, transactions.

Faults are injected where the wire would be. Rows that have expired stay, as DynamoDB deletes them
days later.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError

from broadcasting.items import key_attributes
from storage.ledger_table import LedgerTable
from storage.stream_counters import StreamCounters
from testbed.model.expressions import holds, updated
from testbed.model.fakes import NOW_MS, FakeLedgerTable, FakeTime

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
    after the next write that has `after`. `before_write` and `before_transaction` are called once,
    before the next of these. A row at `forget` is lost before each update. `requests` are those
    that had an effect.
    """

    epoch_ms: Callable[[], int] = lambda: NOW_MS
    items: dict[Key, dict[str, Any]] = field(default_factory=dict)
    before: list[Exception | None] = field(default_factory=list)
    after: list[Exception] = field(default_factory=list)
    meanwhile: Callable[[], object] = lambda: None
    before_write: Callable[[], object] | None = None
    before_transaction: Callable[[], object] | None = None
    forget: Key | None = None
    delete_errors: list[Exception] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)

    @property
    def table(self) -> LedgerTable:
        """The ledger's table on this DynamoDB."""
        clock = FakeTime().clock._replace(epoch_ms=self.epoch_ms)
        return LedgerTable(self.client, "ledger", clock=clock)

    @property
    def client(self) -> "DynamoDBClient":
        """The fake as botocore's client."""
        return cast("DynamoDBClient", self)

    @property
    def counters(self) -> StreamCounters:
        """The counters in that table."""
        clock = FakeTime().clock._replace(epoch_ms=self.epoch_ms)
        return StreamCounters(self.client, "ledger", clock=clock)

    def get_item(self, **request: Any) -> dict[str, Any]:
        """Read a row, expired or not."""
        assert request["ConsistentRead"]
        self._fail()
        self.requests.append(("GetItem", request))
        item = self.items.get(_key(request["Key"]))
        return {"Item": item} if item else {}

    def put_item(self, **put: Any) -> None:
        """Write a row."""
        self._interrupt()
        self._fail()
        self._write(("PutItem", put), [put])

    def update_item(self, **update: Any) -> dict[str, Any]:
        """Change a row, and answer what it is then, or what did not meet the condition."""
        self._interrupt()
        self._fail()
        key = _key(update["Key"])
        if key == self.forget:
            self.items.pop(key, None)
        before = self.items.get(key)
        if not holds(_with_key(before, update["Key"]), update):
            raise refused_condition(before, update)
        self.items[key] = updated(before or update["Key"], update)
        self._note(("UpdateItem", update))
        return {"Attributes": self.items[key]} if "ReturnValues" in update else {}

    def delete_item(self, **request: Any) -> dict[str, Any]:
        """Delete a row."""
        if self.delete_errors:
            raise self.delete_errors.pop(0)
        self._fail()
        old = self.items.pop(_key(request["Key"]), None)
        self._note(("DeleteItem", request))
        return {"Attributes": old} if old and request.get("ReturnValues") == "ALL_OLD" else {}

    def query(self, **query: Any) -> dict[str, Any]:
        """Read a page of a partition, in order, from either end; expired rows are there, too."""
        self._fail()
        self.requests.append(("Query", query))
        start = _key(query["ExclusiveStartKey"]) if "ExclusiveStartKey" in query else ("", "")
        found = [
            item | key_attributes(key)
            for key, item in sorted(self.items.items())
            if key > start and holds(item | key_attributes(key), query, "KeyConditionExpression")
        ]
        if not query.get("ScanIndexForward", True):
            found.reverse()
        page = found[: query.get("Limit")]
        answer = {"Items": [one for one in page if holds(one, query, "FilterExpression")]}
        return answer | (
            {"LastEvaluatedKey": key_attributes(_key(page[-1]))} if len(page) < len(found) else {}
        )

    def transact_write_items(self, **request: Any) -> None:
        """Write several rows, all or none."""
        interruption, self.before_transaction = self.before_transaction, None
        if interruption:
            interruption()
        self._fail()
        puts = [one["Put"] for one in request["TransactItems"]]
        assert len({_key(put["Item"]) for put in puts}) == len(puts) <= 100
        self._write(("TransactWriteItems", request), puts)

    def _interrupt(self) -> None:
        interruption, self.before_write = self.before_write, None
        if interruption:
            interruption()

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
            self.items[_key(put["Item"])] = put["Item"]
        self._note(request)

    def _note(self, request: Request) -> None:
        self.requests.append(request)
        if self.after:
            self.meanwhile()
            raise self.after.pop(0)

    def holds(self, put: dict[str, Any]) -> bool:
        """Tell whether a put's condition holds."""
        return holds(_with_key(self.items.get(_key(put["Item"])), put["Item"]), put)


def refused_condition(found: dict[str, Any] | None, request: dict[str, Any]) -> ClientError:
    """Return what boto3 raises when a row does not meet the condition of a request."""
    error = refusal("ConditionalCheckFailedException")
    if found and request.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD":
        response: Any = error.response
        response["Item"] = found
    return error


def counters_of(table: FakeLedgerTable) -> StreamCounters:
    """Return the counters of a ledger's table: they are rows of it."""
    dynamo = LedgerDynamo(epoch_ms=table.epoch_ms, items=table.items)
    clock = FakeTime().clock._replace(epoch_ms=table.epoch_ms)
    return StreamCounters(cast("DynamoDBClient", dynamo), "ledger", clock=clock)


def _with_key(item: dict[str, Any] | None, key: dict[str, Any]) -> dict[str, Any] | None:
    """Return a row with its key, which the table of a model may keep apart."""
    return None if item is None else item | {"pk": key["pk"], "sk": key["sk"]}


def _key(attributes: dict[str, Any]) -> Key:
    return attributes["pk"]["S"], attributes["sk"]["S"]
