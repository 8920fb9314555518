"""A stack in memory for the command line: what DynamoDB and SQS answer, and nothing more."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from broadcasting.backlog import Backlog
from broadcasting.connection import Connection
from broadcasting.ledger_items import key_of, to_item
from broadcasting.ledger_rows import (
    ChannelEntry,
    FailedConnection,
    FailedRow,
    Row,
    SliceRow,
    Summary,
)
from broadcasting.message import Broadcast
from broadcasting.receipt import Receipt

OPENED_MS = 1_767_225_600_000
"""The first moment of 2026."""

TABLE = "ledger"
_NUMBERS = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]


def a_summary(broadcast_id: str = "news", **changes: Any) -> Summary:
    """Return the summary of a broadcast whose message is `hear`, open unless said otherwise."""
    summary = Summary(
        id=broadcast_id,
        digest=Broadcast(broadcast_id, "hear").digest,
        channel="*",
        seq=7,
        opened_ms=OPENED_MS,
        version=1,
    )
    return summary._replace(**changes)


def a_slice(slice_id: str, counts: Receipt, **changes: Any) -> SliceRow:
    """Return a slice of the broadcast `news`, which has to post to what has not ended."""
    pending = range(counts.targeted - counts.ended)
    backlog = Backlog(connections=tuple(Connection(f"p{number}", OPENED_MS) for number in pending))
    return SliceRow("news", slice_id, backlog, counts=counts)._replace(**changes)


def refusal(operation: str) -> ClientError:
    """Return what boto3 raises when AWS refuses a call."""
    return ClientError({"Error": {"Code": "AccessDenied", "Message": "not you"}}, operation)


@dataclass
class FakeTable:
    """A boto3 DynamoDB client with one table. `after_query` is called after each Query.

    Pages have two rows; a batch of more than one key leaves the last one unprocessed.
    """

    items: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    after_query: Callable[[], None] = lambda: None
    refuses: bool = False
    names_read: set[str] = field(default_factory=set)
    keys_read: set[tuple[str, str]] = field(default_factory=set)

    def put(self, *rows: Row) -> None:
        """Write rows as the functions do."""
        for row in rows:
            pk, sk = key_of(row)
            self.items[pk, sk] = {**to_item(row), "pk": {"S": pk}, "sk": {"S": sk}}

    def open(self, *summaries: Summary) -> None:
        """Write summaries, and that they are recent."""
        for one in summaries:
            self.put(one, ChannelEntry(one.channel, one.seq, one.id, one.opened_ms))

    def fail(self, *failed: tuple[str, str], number: int = 0) -> None:
        """Write connections of `news` that have failed."""
        self.put(FailedRow("news", "0", number, tuple(FailedConnection(*one) for one in failed)))

    def get_item(self, *, Key: Any, **options: Any) -> dict[str, Any]:  # noqa: N803
        """Answer as DynamoDB does."""
        item = self._read("GetItem", Key, options)
        return {"Item": item} if item else {}

    def batch_get_item(self, *, RequestItems: Any) -> dict[str, Any]:  # noqa: N803
        """Answer as DynamoDB does when it is busy."""
        options = RequestItems[TABLE]
        keys = options["Keys"]
        now, later = (keys[:-1], keys[-1:]) if len(keys) > 1 else (keys, [])
        items = [self._read("BatchGetItem", key, options) for key in now]
        return {
            "Responses": {TABLE: [item for item in items if item]},
            "UnprocessedKeys": {TABLE: options | {"Keys": later}} if later else {},
        }

    def get_paginator(self, operation: str) -> "FakeTable":
        """Return what pages through a Query."""
        assert operation == "query"
        return self

    def paginate(self, **options: Any) -> Iterator[dict[str, Any]]:
        """Answer as DynamoDB does, two rows at a time."""
        values = options["ExpressionAttributeValues"]
        pk, prefix = values[":pk"]["S"], values[":prefix"]["S"]
        keys = sorted(key for key in self.items if key[0] == pk and key[1].startswith(prefix))
        if options.get("Select") == "COUNT":
            now = int(values[":now"]["N"])
            yield from ({"Count": 1} for key in keys if self._expiry(key) > now)
            return
        keys = keys if options["ScanIndexForward"] else keys[::-1]
        keys = keys[: options["PaginationConfig"]["MaxItems"]]
        assert options["ConsistentRead"]
        for start in range(0, len(keys), 2):
            page = ({"pk": {"S": pk}, "sk": {"S": sk}} for pk, sk in keys[start : start + 2])
            yield {"Items": [self._read("Query", key, options) for key in page]}
        self.after_query()

    def _expiry(self, key: tuple[str, str]) -> float:
        return float(self.items[key].get("expiresAt", {"N": "inf"})["N"])

    def _read(self, operation: str, key: Any, options: Any) -> dict[str, Any] | None:
        if self.refuses:
            raise refusal(operation)
        assert options["ConsistentRead"]
        names = options["ExpressionAttributeNames"]
        wanted = {names[one] for one in options["ProjectionExpression"].split(", ")}
        self.names_read |= wanted
        self.keys_read.add((key["pk"]["S"], key["sk"]["S"]))
        item = self.items.get((key["pk"]["S"], key["sk"]["S"]))
        return item and {name: value for name, value in item.items() if name in wanted}


@dataclass
class FakeQueues:
    """A boto3 SQS client. Messages that are received are hidden until they are let go.

    `refuses` names the operations that fail; `calls` is what was done, in order.
    """

    messages: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set)
    sent: list[tuple[str, str]] = field(default_factory=list)
    attributes: list[dict[str, Any]] = field(default_factory=list)
    """Those of what was sent."""
    calls: list[str] = field(default_factory=list)
    refuses: set[str] = field(default_factory=set)

    def add(
        self,
        url: str,
        message_id: str,
        body: str,
        attributes: dict[str, Any] | None = None,
        *,
        is_moved: bool = False,
        sent_ms: str = str(OPENED_MS),
    ) -> None:
        """Put a message into a queue; `is_moved` says that SQS itself has put it there.

        Attributes are texts, or as SQS has them.
        """
        moved = {"DeadLetterQueueSourceArn": "arn"} if is_moved else {}
        said = {
            name: {"DataType": "String", "StringValue": one} if isinstance(one, str) else one
            for name, one in (attributes or {}).items()
        }
        self.messages.setdefault(url, []).append(
            {
                "MessageId": message_id,
                "ReceiptHandle": f"receipt-{message_id}",
                "Body": body,
                "Attributes": {"SentTimestamp": sent_ms, **moved},
                "MessageAttributes": said,
            }
        )

    def ids(self, url: str) -> list[str]:
        """Return which messages a queue has that can be received."""
        ids = (one["MessageId"] for one in self.messages.get(url, []))
        return [one for one in ids if f"receipt-{one}" not in self.hidden]

    def receive_message(self, *, QueueUrl: str, **options: Any) -> dict[str, Any]:  # noqa: N803
        """Answer as SQS does, two messages at a time."""
        self._call("receive")
        assert options["VisibilityTimeout"] > 0
        seen = self.ids(QueueUrl)[:2]
        found = [one for one in self.messages.get(QueueUrl, []) if one["MessageId"] in seen]
        self.hidden |= {one["ReceiptHandle"] for one in found}
        return {"Messages": found} if found else {}

    def change_message_visibility_batch(self, *, QueueUrl: str, Entries: Any) -> dict[str, Any]:  # noqa: N803
        """Let messages be received again."""
        self._call("let go")
        assert len(Entries) <= 10
        assert QueueUrl
        self.hidden -= {one["ReceiptHandle"] for one in Entries}
        return {}

    def get_queue_attributes(self, *, QueueUrl: str, AttributeNames: Any) -> dict[str, Any]:  # noqa: N803
        """Tell how many messages are visible, and how many are hidden."""
        visible = len(self.ids(QueueUrl))
        hidden = len(self.messages.get(QueueUrl, [])) - visible
        assert AttributeNames == _NUMBERS
        return {"Attributes": dict(zip(_NUMBERS, (str(visible), str(hidden)), strict=True))}

    def send_message(
        self,
        *,
        QueueUrl: str,  # noqa: N803
        MessageBody: str,  # noqa: N803
        MessageAttributes: dict[str, Any] | None = None,  # noqa: N803
    ) -> dict[str, str]:
        """Take a message."""
        self._call("send")
        self.sent.append((QueueUrl, MessageBody))
        self.attributes.append(MessageAttributes or {})
        return {"MessageId": f"sent-{len(self.sent)}"}

    def delete_message(self, *, QueueUrl: str, ReceiptHandle: str) -> None:  # noqa: N803
        """Delete a message."""
        self._call("delete")
        self.messages[QueueUrl] = [
            one for one in self.messages[QueueUrl] if one["ReceiptHandle"] != ReceiptHandle
        ]

    def _call(self, operation: str) -> None:
        self.calls.append(operation)
        if operation in self.refuses:
            raise refusal(operation)


@dataclass
class FakeStack:
    """A deployment whose table and queues are in memory."""

    table: FakeTable = field(default_factory=FakeTable)
    queues: FakeQueues = field(default_factory=FakeQueues)
    broadcast_queue_url: str = "broadcasts"
    dead_letter_queue_url: str = "dead broadcasts"
    slice_queue_url: str = "slices"
    slice_dead_letter_queue_url: str = "dead slices"
    ledger_table_name: str = TABLE

    def client(self, service: str) -> Any:
        """Return the client of a service."""
        return {"dynamodb": self.table, "sqs": self.queues}[service]


def rejected(reason: str, message_id: str = "m0", **others: Any) -> dict[str, Any]:
    """Return the attributes of a letter that our function wrote."""
    return {"crier.reason": reason, "crier.messageId": message_id, **others}
