"""A stack in memory for the commands about connections: the table, and `@connections`."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import ClientError

from broadcasting.channel_rows import channel_key
from broadcasting.connection import Connection
from broadcasting.connection_row import connection_item
from broadcasting.items import EXPIRY, attribute_of, key_attributes
from broadcasting.user_rows import self_key, user_key
from tests.support.fake_stack import OPENED_MS, refusal

TABLE = "connections"
NOW_MS = OPENED_MS + 600_000
"""Ten minutes after the connections of these tests were made."""

LATER_SECONDS = NOW_MS // 1000 + 3_600


@dataclass
class FakeConnectionsTable:
    """A boto3 DynamoDB client with one table.

    Pages have two rows; a batch of more than one key leaves the last one undone. `refuses` names
    the operations that fail, `calls` those that were made.
    """

    items: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    refuses: set[str] = field(default_factory=set)
    calls: list[str] = field(default_factory=list)
    leaves_all: bool = False
    """Whether no batch does anything."""
    before_query: Callable[[], None] = lambda: None

    def connect(
        self,
        connection_id: str,
        user: str | None = None,
        *,
        connected_ms: int = OPENED_MS,
        channels: Sequence[str] = (),
        **row: Any,
    ) -> None:
        """Write the rows of a connection; `row` is what is another in those of the audience."""
        audience = connection_item(Connection(connection_id, connected_ms)) | row
        self.put(audience)
        others = [channel_key(channel, connection_id) for channel in channels]
        others += [] if user is None else [user_key(user, connection_id)]
        for key in others:
            self.put(audience | key_attributes(key))
        own: dict[str, Any] = {EXPIRY: audience[EXPIRY]}
        own |= {} if user is None else {"user": attribute_of(user)}
        own |= {"channels": {"SS": list(channels)}} if channels else {}
        if others:
            self.put({**key_attributes(self_key(connection_id)), **own})

    def put(self, item: Any) -> None:
        """Write a row as it is."""
        self.items[item["pk"]["S"], item["sk"]["S"]] = dict(item)

    def get_paginator(self, operation: str) -> "FakeConnectionsTable":
        """Return what pages through a Query."""
        assert operation == "query"
        return self

    def paginate(self, **options: Any) -> Iterator[dict[str, Any]]:
        """Answer as DynamoDB does, two rows at a time."""
        self.before_query()
        assert options["ConsistentRead"]
        assert options["KeyConditionExpression"] == "#p = :pk"
        assert list(options["ExpressionAttributeValues"]) == [":pk"]
        used = f"{options['KeyConditionExpression']}, {options['ProjectionExpression']}"
        assert [one for one in options["ExpressionAttributeNames"] if one not in used] == []
        pk = options["ExpressionAttributeValues"][":pk"]["S"]
        keys = sorted(key for key in self.items if key[0] == pk)
        for start in range(0, max(1, len(keys)), 2):
            self._call("Query")
            some = keys[start : start + 2]
            yield {"Items": [self._projected(key, options) for key in some if key in self.items]}

    def batch_get_item(self, *, RequestItems: Any) -> dict[str, Any]:  # noqa: N803
        """Answer as DynamoDB does when it is busy."""
        self._call("BatchGetItem")
        options = RequestItems[TABLE]
        keys = options["Keys"]
        assert 1 <= len(keys) <= 100
        now, later = (keys[:-1], keys[-1:]) if len(keys) > 1 else (keys, [])
        if self.leaves_all:
            now, later = [], keys
        found = [(one["pk"]["S"], one["sk"]["S"]) for one in now]
        return {
            "Responses": {
                TABLE: [self._projected(one, options) for one in found if one in self.items]
            },
            "UnprocessedKeys": {TABLE: options | {"Keys": later}} if later else {},
        }

    def batch_write_item(self, *, RequestItems: Any) -> dict[str, Any]:  # noqa: N803
        """Delete rows as DynamoDB does when it is busy."""
        self._call("BatchWriteItem")
        requests = RequestItems[TABLE]
        assert 1 <= len(requests) <= 25
        now, later = (requests[:-1], requests[-1:]) if len(requests) > 1 else (requests, [])
        if self.leaves_all:
            return {"UnprocessedItems": {TABLE: requests}}
        for one in now:
            key = one["DeleteRequest"]["Key"]
            self.items.pop((key["pk"]["S"], key["sk"]["S"]), None)
        return {"UnprocessedItems": {TABLE: later} if later else {}}

    def put_item(self, *, TableName: str, Item: Any) -> None:  # noqa: N803
        """Write a row."""
        assert TableName == TABLE
        self._call("PutItem")
        self.put(Item)

    def _call(self, operation: str) -> None:
        self.calls.append(operation)
        if operation in self.refuses:
            raise refusal(operation)

    def _projected(self, key: tuple[str, str], options: Any) -> dict[str, Any]:
        names = options["ExpressionAttributeNames"]
        wanted = {names[one] for one in options["ProjectionExpression"].split(", ")}
        return {name: value for name, value in self.items[key].items() if name in wanted}


@dataclass
class FakeCallback:
    """A boto3 client of `@connections`. `open` are the connections that there are.

    `answers` has statuses that a connection's next requests are answered, in turn, `forbids` the
    operations that are answered 403. `log` is what was asked.
    """

    open: dict[str, dict[str, Any]] = field(default_factory=dict)
    answers: dict[str, list[int]] = field(default_factory=dict)
    forbids: set[str] = field(default_factory=set)
    log: list[tuple[str, str, str]] = field(default_factory=list)
    meta: Any = field(
        default_factory=lambda: SimpleNamespace(events=SimpleNamespace(register=lambda *_: None))
    )

    def post_to_connection(self, *, ConnectionId: str, Data: bytes) -> None:  # noqa: N803
        """Take a text."""
        self._ask("POST", ConnectionId, Data.decode())

    def delete_connection(self, *, ConnectionId: str) -> None:  # noqa: N803
        """Close a connection."""
        self._ask("DELETE", ConnectionId)
        del self.open[ConnectionId]

    def get_connection(self, *, ConnectionId: str) -> dict[str, Any]:  # noqa: N803
        """Tell of a connection."""
        self._ask("GET", ConnectionId)
        return self.open[ConnectionId]

    def asked(self, connection_id: str) -> list[str]:
        """Return which requests were made for a connection."""
        return [method for method, id_, _ in self.log if id_ == connection_id]

    def _ask(self, method: str, connection_id: str, text: str = "") -> None:
        self.log.append((method, connection_id, text))
        statuses = self.answers.get(connection_id, [])
        status = statuses.pop(0) if statuses else 200
        if method in self.forbids:
            status = 403
        elif status == 200 and connection_id not in self.open:
            status = 410
        if status != 200:
            raise answered(status)


def answered(status: int) -> ClientError:
    """Return what boto3 raises for a status of `@connections`."""
    names = {400: "BadRequestException", 403: "ForbiddenException", 410: "GoneException"}
    names |= {429: "LimitExceededException"}
    code = names.get(status, str(status))
    metadata: Any = {"HTTPStatusCode": status}
    said: Any = {"Code": code, "Message": "no"}
    return ClientError({"Error": said, "ResponseMetadata": metadata}, "Ask")


@dataclass
class FakeConnectionsStack:
    """A deployment whose connections are in memory."""

    table: FakeConnectionsTable = field(default_factory=FakeConnectionsTable)
    callback: FakeCallback = field(default_factory=FakeCallback)
    stack: str = "crier-prod"
    endpoint_url: str | None = None
    web_socket_url: str = "wss://api.example/prod"
    connections_table_name: str = TABLE
    auth: str = "open"
    deny_list: bool = False

    def connect(self, connection_id: str, user: str | None = None, **others: Any) -> None:
        """Open a connection, and write its rows."""
        self.callback.open[connection_id] = {}
        self.table.connect(connection_id, user, **others)

    def client(self, service: str) -> Any:
        """Return the client of a service."""
        assert service == "dynamodb"
        return self.table

    def callback_client(self) -> Any:
        """Return the client of `@connections`."""
        return self.callback

    def keys(self, connection_id: str) -> list[tuple[str, str]]:
        """Return the rows that a connection has."""
        own = self_key(connection_id)[0]
        return [key for key in self.table.items if own == key[0] or connection_id == key[1]]
