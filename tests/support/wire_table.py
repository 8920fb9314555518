"""The connections table behind the wire of a real client: each request may meet a fault."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from io import BytesIO
from typing import TYPE_CHECKING, Any, cast

import boto3
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ReadTimeoutError
from urllib3 import HTTPResponse

from broadcasting.clock import Jitter
from broadcasting.connecting_client import ConnectingClient, rows_of
from broadcasting.connection import Connection
from broadcasting.items import Item, Key
from storage.audience_pages import AudiencePages
from storage.connections import ConnectionsTable
from storage.plain_batches import send_batches_plainly
from storage.row_batches import key_of_item
from testbed.model.fakes import NOW_MS, FakeTime, half
from wiring import _DOOR_CONFIG

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

NAME = "connections"
_ERRORS = {
    "throttle": (400, "ProvisionedThroughputExceededException"),
    "refuse": (400, "AccessDeniedException"),
    "break": (500, "InternalServerError"),
}


@cache
def _session() -> boto3.Session:
    """Return one session for all tests: it reads botocore's models once."""
    return boto3.Session("AKID", "secret", region_name="eu-central-1")


def clients_of(users: Sequence[str | None]) -> list[ConnectingClient]:
    """Return clients that connect, one for each of the users."""
    return [
        ConnectingClient(Connection(f"c{number}=", NOW_MS), user)
        for number, user in enumerate(users)
    ]


def ids_of(clients: Sequence[ConnectingClient]) -> list[str]:
    """Return the ids of clients' connections."""
    return [client.connection.id for client in clients]


def rows_of_clients(*clients: ConnectingClient) -> dict[Key, Item]:
    """Return the rows of clients by their keys."""
    return {key_of_item(row): row for client in clients for row in rows_of(client)}


class Crash(BaseException):
    """The end of the function: nothing but a test may catch it."""


class WireTable:
    """Rows in memory, by their keys, and what happens to the requests that come, in turn.

    `faults` are those of the next requests, None for none; `always` has those of all others, by
    what is asked: put, delete or read. They are throttle, refuse, break: an error; unprocessed: all
    rows are given back; half: the first half of them is done; lose: done, and the answer dropped;
    before, after: the function dies then. `requests` are the operations with their numbers of rows.
    Time passes in pauses, and for each request `request_seconds`.
    """

    def __init__(self, rows: dict[Key, Item] | None = None) -> None:
        self.rows = dict(rows or {})
        self.faults: list[str | None] = []
        self.always: dict[str, str] = {}
        self.requests: list[tuple[str, int]] = []
        self.bodies: list[bytes] = []
        self.time = FakeTime()
        self.request_seconds = 0.0

    @contextmanager
    def table(
        self,
        *,
        plainly: bool = False,
        sleep: Callable[[float], object] | None = None,
        jitter: Jitter = half,
    ) -> Iterator[ConnectionsTable]:
        """Yield the table at this wire; `plainly` as the broadcast function sends batches."""
        clock = self.time.clock
        if sleep:
            clock = clock._replace(sleep=sleep)
        with self._client(plainly=plainly) as client:
            yield ConnectionsTable(client, NAME, clock=clock, jitter=jitter)

    @contextmanager
    def pages(self) -> Iterator[AudiencePages]:
        """Yield the pages of audiences, as the broadcast function reads them."""
        with self._client(plainly=True) as client:
            yield AudiencePages(client, NAME, clock=self.time.clock, jitter=half)

    @contextmanager
    def _client(self, *, plainly: bool) -> "Iterator[DynamoDBClient]":
        client: DynamoDBClient = _session().client("dynamodb", config=_DOOR_CONFIG)
        client.meta.events.register("before-send.dynamodb", cast("Any", self._answer))
        if plainly:
            send_batches_plainly(client)
        try:
            yield client
        finally:
            client.close()

    def _answer(self, request: Any, **_: object) -> AWSResponse:
        operation = request.headers["X-Amz-Target"].decode().split(".")[1]
        asked = json.loads(request.body)
        self.bodies.append(request.body)
        self.requests.append((operation, _size(operation, asked)))
        self.time.run(self.request_seconds)
        fault = self.faults.pop(0) if self.faults else self.always.get(_label(operation, asked))
        if fault in _ERRORS:
            status, code = _ERRORS[fault]
            return _answer(status, {"__type": f"x#{code}", "message": "injected"})
        if fault == "before":
            raise Crash
        answer = getattr(self, f"_{operation}")(asked, fault)
        if fault == "after":
            raise Crash
        if fault == "lose":
            raise ReadTimeoutError(endpoint_url=request.url, error="injected")
        return _answer(200, answer)

    def _DeleteItem(self, asked: Any, _: str | None) -> dict[str, Any]:  # noqa: N802
        old = self.rows.pop(_key(asked["Key"]), None)
        return {"Attributes": old} if old and asked.get("ReturnValues") == "ALL_OLD" else {}

    def _BatchGetItem(self, asked: Any, fault: str | None) -> dict[str, Any]:  # noqa: N802
        keys = asked["RequestItems"][NAME]["Keys"]
        done = _done(keys, fault)
        found = [self.rows[_key(key)] for key in keys[:done] if _key(key) in self.rows]
        left = {NAME: {"Keys": keys[done:]}} if keys[done:] else {}
        return {"Responses": {NAME: found}, "UnprocessedKeys": left}

    def _BatchWriteItem(self, asked: Any, fault: str | None) -> dict[str, Any]:  # noqa: N802
        writes = asked["RequestItems"][NAME]
        done = _done(writes, fault)
        for one in writes[:done]:
            if "PutRequest" in one:
                item = one["PutRequest"]["Item"]
                self.rows[_key(item)] = item
            else:
                self.rows.pop(_key(one["DeleteRequest"]["Key"]), None)
        return {"UnprocessedItems": {NAME: writes[done:]} if writes[done:] else {}}


def _size(operation: str, asked: Any) -> int:
    """Return how many rows a request is about, and check that DynamoDB would take it."""
    if operation == "DeleteItem":
        return 1
    rows = asked["RequestItems"][NAME]
    keys = [_key(key) for key in rows["Keys"]] if "Keys" in rows else [_key_of(one) for one in rows]
    assert len(set(keys)) == len(keys) > 0
    assert len(keys) <= (100 if operation == "BatchGetItem" else 25)
    return len(keys)


def _label(operation: str, asked: Any) -> str:
    if operation == "BatchGetItem":
        return "read"
    return "put" if "PutRequest" in str(asked) else "delete"


def _done(rows: list[Any], fault: str | None) -> int:
    if fault == "half":
        return len(rows) // 2
    return 0 if fault == "unprocessed" else len(rows)


def _key_of(write: Any) -> Key:
    return _key(
        write["PutRequest"]["Item"] if "PutRequest" in write else write["DeleteRequest"]["Key"]
    )


def _key(item: Any) -> Key:
    return item["pk"]["S"], item["sk"]["S"]


def _answer(status: int, content: Any) -> AWSResponse:
    raw: Any = HTTPResponse(BytesIO(json.dumps(content).encode()), preload_content=False)
    return AWSResponse("http://dynamodb.invalid", status, HTTPHeaders(), raw)
