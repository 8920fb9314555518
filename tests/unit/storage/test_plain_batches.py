"""BatchWriteItem requests without botocore's writer: the same body, the same answers and errors."""

import json
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, cast

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from storage.plain_batches import send_batches_plainly
from tests.support.boto_wire import BotoWire

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_dynamodb import DynamoDBClient

REQUESTS: dict[str, Any] = {
    "connections": [
        {"DeleteRequest": {"Key": {"pk": {"S": pk}, "sk": {"S": sk}}}}
        for number in range(5)
        for pk, sk in (
            (f"all#{number}", f'ü"{number}='),
            (f"user#🦊\\#{number}", f'ü"{number}='),
            (f'connection#ü"{number}=', "self"),
            ("user#" + "🦊" * 128, f"{number}="),
            ("user#a/b", f"\u2028{number}="),
        )
    ]
}
UNPROCESSED = {"connections": REQUESTS["connections"][20:]}
ANSWER = json.dumps({"UnprocessedItems": UNPROCESSED}).encode()

Clients = dict[str, "DynamoDBClient"]


@pytest.fixture
def wire() -> BotoWire:
    """Return what both clients of a test are wired to."""
    return BotoWire()


@pytest.fixture
def clients(wire: BotoWire) -> "Iterator[Clients]":
    """Return a client that sends batches plainly, and one as boto3 makes it."""
    session = boto3.Session("AKID", "secret", region_name="eu-central-1")
    config = Config(
        retries={"mode": "standard", "total_max_attempts": 2}, parameter_validation=False
    )
    with ExitStack() as stack:
        clients = {name: session.client("dynamodb", config=config) for name in ("plain", "usual")}
        for client in clients.values():
            stack.callback(client.close)
            client.meta.events.register("before-send.dynamodb", cast("Any", wire))
        send_batches_plainly(clients["plain"])
        yield clients


@pytest.mark.parametrize(
    "others", [{}, {"ReturnConsumedCapacity": "TOTAL", "ReturnItemCollectionMetrics": "NONE"}]
)
def test_plain_batch_sends_what_boto3_sends(
    clients: Clients, wire: BotoWire, others: dict[str, Any]
) -> None:
    """Each row and each option, and the answer says the same."""
    wire.answers = [(200, ANSWER)] * 2

    answers = [
        client.batch_write_item(RequestItems=REQUESTS, **others) for client in clients.values()
    ]

    plain, usual = map(json.loads, wire.bodies)
    assert plain == usual == {"RequestItems": REQUESTS, **others}
    assert answers[0] == answers[1]
    assert answers[0]["UnprocessedItems"] == UNPROCESSED


def test_plain_batch_leaves_the_rows_to_their_owner(clients: Clients, wire: BotoWire) -> None:
    """What is to be tried again is what was asked for."""
    wire.answers = [(200, ANSWER)]
    asked = json.loads(json.dumps(REQUESTS))

    clients["plain"].batch_write_item(RequestItems=asked)

    assert asked == REQUESTS


@pytest.mark.parametrize("status", [500, 503])
def test_plain_batch_is_tried_again_with_the_same_rows(
    clients: Clients, wire: BotoWire, status: int
) -> None:
    """The retries of the client still work."""
    wire.answers = [(status, b"{}"), (200, ANSWER)]

    clients["plain"].batch_write_item(RequestItems=REQUESTS)

    first, second = map(json.loads, wire.bodies)
    assert first == second == {"RequestItems": REQUESTS}


def test_plain_batch_raises_what_boto3_raises(clients: Clients, wire: BotoWire) -> None:
    """An error answer stays botocore's business."""
    body = {"__type": "com.amazonaws.dynamodb.v20120810#ValidationException", "message": "no"}
    wire.answers = [(400, json.dumps(body).encode())] * 2
    errors = []

    for client in clients.values():
        with pytest.raises(ClientError) as caught:
            client.batch_write_item(RequestItems=REQUESTS)
        errors.append(str(caught.value))

    assert errors[0] == errors[1]


def test_plain_batch_touches_no_other_operation(clients: Clients, wire: BotoWire) -> None:
    """Other requests are small."""
    wire.answers = [(200, b"{}")] * 2
    key = {"pk": {"S": "all#1"}, "sk": {"S": "a="}}

    for client in clients.values():
        client.delete_item(TableName="connections", Key=key)

    assert wire.bodies[0] == wire.bodies[1]
    assert wire.operations == ["DeleteItem"] * 2
