"""Both tables behind the wire of real clients: requests and units are counted, faults injected."""

import json
import math
from functools import cache
from io import BytesIO
from typing import TYPE_CHECKING, Any, cast

from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ReadTimeoutError
from botocore.session import Session
from urllib3 import HTTPResponse

from broadcasting.items import Item, Key
from testbed.model.expressions import holds, updated
from testbed.model.fakes import FakeTime
from tests.support.wire_table import Crash

if TYPE_CHECKING:
    from collections.abc import Callable

CONNECTIONS, BROADCASTS = "connections", "broadcasts"
PAGE_BYTES = 1_000_000
_ERRORS = {
    "throttle": (400, "ProvisionedThroughputExceededException"),
    "refuse": (400, "AccessDeniedException"),
    "break": (500, "InternalServerError"),
}
_REFUSED = "ConditionalCheckFailedException"


class WireDynamo:
    """Rows in memory, by table and key, and what happens to the requests that come, in turn.

    `faults` are those of the next requests, None for none, and `always` that of all others. They
    are throttle, refuse, break: an error; unprocessed, half: all or half of a batch is given back;
    lose: done, and the answer dropped; before, after: the function dies then. `meanwhile` are done
    by others just before a request, by the number of the request, the first is 0. `requests` are
    the operations, with what they cost.
    """

    def __init__(self) -> None:
        self.tables: dict[str, dict[Key, Item]] = {CONNECTIONS: {}, BROADCASTS: {}}
        self.faults: list[str | None] = []
        self.always: str | None = None
        self.meanwhile: dict[int, Callable[[], object]] = {}
        self.requests: list[str] = []
        self.bodies: list[Any] = []
        self.read_units = self.write_units = 0.0
        self.time = FakeTime()
        self.request_seconds = 0.0

    @property
    def connections(self) -> dict[Key, Item]:
        """The rows of the connections table."""
        return self.tables[CONNECTIONS]

    @property
    def broadcasts(self) -> dict[Key, Item]:
        """The rows of the broadcasts table."""
        return self.tables[BROADCASTS]

    def forget(self) -> None:
        """Begin to count anew."""
        self.requests, self.bodies = [], []
        self.read_units = self.write_units = 0.0

    def answer(self, request: Any, **_: object) -> AWSResponse:
        """Answer one request; a hook of botocore's."""
        operation = request.headers["X-Amz-Target"].decode().split(".")[1]
        number, asked = len(self.requests), json.loads(request.body)
        self.requests.append(operation)
        self.bodies.append(asked)
        self.time.run(self.request_seconds)
        self.meanwhile.pop(number, lambda: None)()
        fault = self.faults.pop(0) if self.faults else self.always
        if fault in _ERRORS:
            status, code = _ERRORS[fault]
            return _response(status, {"__type": f"x#{code}", "message": "injected"})
        if fault == "before":
            raise Crash
        try:
            answer = getattr(self, f"_{operation}")(asked, fault)
        except _RefusedError as refused:
            return _response(400, {"__type": f"x#{_REFUSED}"} | refused.said)
        if fault == "after":
            raise Crash
        if fault == "lose":
            raise ReadTimeoutError(endpoint_url=request.url, error="injected")
        return _response(200, answer)

    def _GetItem(self, asked: Any, _: str | None) -> dict[str, Any]:  # noqa: N802
        item = self.tables[asked["TableName"]].get(_key(asked["Key"]))
        self._read(item, strongly=asked.get("ConsistentRead", False))
        return {"Item": item} if item else {}

    def _PutItem(self, asked: Any, _: str | None) -> dict[str, Any]:  # noqa: N802
        rows, key = self.tables[asked["TableName"]], _key(asked["Item"])
        self._write(asked["Item"])
        if not holds(rows.get(key), asked):
            raise _RefusedError({})
        rows[key] = asked["Item"]
        return {}

    def _UpdateItem(self, asked: Any, _: str | None) -> dict[str, Any]:  # noqa: N802
        rows, key = self.tables[asked["TableName"]], _key(asked["Key"])
        old = rows.get(key)
        if not holds(old, asked):
            self._write(old or asked["Key"])
            wants_old = asked.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"
            raise _RefusedError({"Item": old} if old and wants_old else {})
        rows[key] = updated(old or asked["Key"], asked)
        self._write(rows[key])
        return {"Attributes": rows[key]} if "ReturnValues" in asked else {}

    def _DeleteItem(self, asked: Any, _: str | None) -> dict[str, Any]:  # noqa: N802
        old = self.tables[asked["TableName"]].pop(_key(asked["Key"]), None)
        self._write(old or asked["Key"])
        return {"Attributes": old} if old and asked.get("ReturnValues") == "ALL_OLD" else {}

    def _BatchGetItem(self, asked: Any, fault: str | None) -> dict[str, Any]:  # noqa: N802
        found: dict[str, Any] = {}
        left: dict[str, Any] = {}
        for table, wanted in asked["RequestItems"].items():
            keys = wanted["Keys"]
            assert 0 < len(keys) == len({_key(key) for key in keys}) <= 100
            done = _done(keys, fault)
            for key in keys[:done]:
                item = self.tables[table].get(_key(key))
                self._read(item, strongly=wanted["ConsistentRead"])
                found.setdefault(table, []).extend([item] if item else [])
            if keys[done:]:
                left[table] = wanted | {"Keys": keys[done:]}
        return {"Responses": found, "UnprocessedKeys": left}

    def _BatchWriteItem(self, asked: Any, fault: str | None) -> dict[str, Any]:  # noqa: N802
        ((table, writes),) = asked["RequestItems"].items()
        assert 0 < len(writes) == len({_key(_row_of(one)) for one in writes}) <= 25
        done = _done(writes, fault)
        for one in writes[:done]:
            self._write(_row_of(one))
            if "PutRequest" in one:
                self.tables[table][_key(_row_of(one))] = _row_of(one)
            else:
                self.tables[table].pop(_key(_row_of(one)), None)
        return {"UnprocessedItems": {table: writes[done:]} if writes[done:] else {}}

    def _Query(self, asked: Any, _: str | None) -> dict[str, Any]:  # noqa: N802
        values = {name: one["S"] for name, one in asked["ExpressionAttributeValues"].items()}
        table = self.tables[asked["TableName"]]
        keys = sorted(
            key for key in table if key[0] == values[":stream"] and _is_between(key[1], values)
        )
        if not asked.get("ScanIndexForward", True):
            keys.reverse()
        page: list[Item] = []
        size = 0
        for key in keys[: asked["Limit"]]:
            page.append(table[key])
            size += _bytes(table[key])
            if size >= PAGE_BYTES:
                break
        self.read_units += max(1, math.ceil(size / 4096)) * (1 if asked["ConsistentRead"] else 0.5)
        answer: dict[str, Any] = {"Items": page}
        if len(page) == asked["Limit"] or len(page) < len(keys):
            answer["LastEvaluatedKey"] = {name: page[-1][name] for name in ("pk", "sk")}
        return answer

    def _read(self, item: Item | None, *, strongly: bool) -> None:
        self.read_units += max(1, math.ceil(_bytes(item or {}) / 4096)) * (1 if strongly else 0.5)

    def _write(self, item: Item) -> None:
        self.write_units += max(1, math.ceil(_bytes(item) / 1024))


class WireSession:
    """A session whose clients send to a wire; it reads botocore's models once for all tests."""

    def __init__(self, wire: WireDynamo) -> None:
        self._wire = wire

    def create_client(self, *arguments: Any, **options: Any) -> Any:
        """Create a client that sends to the wire."""
        client = _session().create_client(*arguments, **options)
        client.meta.events.register("before-send", cast("Any", self._wire.answer))
        return client

    def user_agent(self) -> str:
        """Return the name of the session."""
        return _session().user_agent()


@cache
def _session() -> Session:
    session = Session()
    session.set_credentials("AKIDEXAMPLE", "secret")
    session.set_config_variable("region", "eu-central-1")
    return session


class _RefusedError(Exception):
    """A row does not meet a condition."""

    def __init__(self, said: dict[str, Any]) -> None:
        super().__init__()
        self.said = said


def _is_between(sort_key: str, values: dict[str, str]) -> bool:
    if ":entries" in values:
        return sort_key.startswith(values[":entries"])
    return values[":first"] <= sort_key <= values[":last"]


def _row_of(write: Any) -> Any:
    return write["PutRequest"]["Item"] if "PutRequest" in write else write["DeleteRequest"]["Key"]


def _done(rows: list[Any], fault: str | None) -> int:
    return len(rows) // 2 if fault == "half" else 0 if fault == "unprocessed" else len(rows)


def _key(item: Any) -> Key:
    return item["pk"]["S"], item["sk"]["S"]


def _bytes(item: Item) -> int:
    """Return the size of a row, as DynamoDB counts it.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
    """
    return sum(len(name) + _value_bytes(value) for name, value in item.items())


def _value_bytes(value: Any) -> int:
    ((kind, content),) = value.items()
    if kind == "N":
        return len(content) // 2 + 1
    return sum(len(one.encode()) for one in ([content] if isinstance(content, str) else content))


def _response(status: int, content: Any) -> AWSResponse:
    raw: Any = HTTPResponse(BytesIO(json.dumps(content).encode()), preload_content=False)
    return AWSResponse("http://dynamodb.invalid", status, HTTPHeaders(), raw)
