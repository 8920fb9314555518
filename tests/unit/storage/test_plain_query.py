"""Query answers without botocore's parser: the same rows, and the same errors."""

import json
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, cast

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from storage.plain_query import read_queries_plainly
from tests.support.boto_wire import BotoWire

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_dynamodb import DynamoDBClient

PAGE = {
    "Items": [
        {"pk": {"S": "all#1"}, "sk": {"S": "a="}, "connectedAt": {"N": "1700000000000"}},
        {"pk": {"S": "all#1"}, "sk": {"S": 'ü"\\ud83d\\ude00'}, "connectedAt": {"N": "0"}},
    ],
    "Count": 2,
    "ScannedCount": 2,
    "LastEvaluatedKey": {"pk": {"S": "all#1"}, "sk": {"S": "b="}},
}


@pytest.fixture
def wire() -> BotoWire:
    """Return what both clients of a test are wired to."""
    return BotoWire()


@pytest.fixture
def clients(wire: BotoWire) -> "Iterator[dict[str, DynamoDBClient]]":
    """Return a client that reads queries plainly, and one as boto3 makes it."""
    session = boto3.Session(
        aws_access_key_id="AKID", aws_secret_access_key="secret", region_name="eu-central-1"
    )
    config = Config(retries={"mode": "standard", "total_max_attempts": 2})
    with ExitStack() as stack:
        clients = {name: session.client("dynamodb", config=config) for name in ("plain", "usual")}
        for client in clients.values():
            stack.callback(client.close)
            client.meta.events.register("before-send.dynamodb", cast("Any", wire))
        read_queries_plainly(clients["plain"])
        yield clients


Clients = dict[str, "DynamoDBClient"]


def _query(client: "DynamoDBClient") -> dict[str, Any]:
    """Query, and return the answer without what differs in each."""
    answer = cast(
        "dict[str, Any]",
        client.query(
            TableName="connections",
            KeyConditionExpression="pk = :shard",
            ExpressionAttributeValues={":shard": {"S": "all#1"}},
        ),
    )
    assert answer["ResponseMetadata"].pop("RetryAttempts") == 0
    return answer


def _body(value: object) -> bytes:
    return json.dumps(value).encode()


@pytest.mark.parametrize(
    "page",
    [
        PAGE,
        {"Items": [], "Count": 0, "ScannedCount": 7},
        {"Count": 3, "ScannedCount": 3},
        {**PAGE, "Items": [{"channels": {"SS": ["a", "b"]}, "user": {"NULL": True}}]},
        {**PAGE, "Items": [{"m": {"M": {"x": {"L": [{"N": "1.50"}, {"BOOL": False}]}}}}]},
    ],
)
def test_plain_query_returns_what_boto3_returns(
    clients: Clients, wire: BotoWire, page: dict[str, Any]
) -> None:
    """Rows, counts, the next key and the response's metadata."""
    wire.answers = [(200, _body(page))] * 2

    plain, usual = _query(clients["plain"]), _query(clients["usual"])

    assert plain == usual
    assert plain.get("Items") == page.get("Items")
    assert plain["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert plain["ResponseMetadata"]["RequestId"] == "R1"


@pytest.mark.parametrize("name", ["plain", "usual"])
@pytest.mark.parametrize(
    ("status", "code"),
    [(400, "ResourceNotFoundException"), (400, "ValidationException")],
)
def test_plain_query_raises_what_boto3_raises(
    clients: Clients, wire: BotoWire, name: str, status: int, code: str
) -> None:
    """An error answer stays botocore's business."""
    body = {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": "injected"}
    wire.answers = [(status, _body(body))]

    with pytest.raises(ClientError) as caught:
        _query(clients[name])

    assert caught.value.response["Error"] == {"Code": code, "Message": "injected"}
    assert wire.answers == []


@pytest.mark.parametrize("name", ["plain", "usual"])
@pytest.mark.parametrize(("status", "body"), [(500, b"{}"), (503, b"no JSON")])
def test_plain_query_is_tried_again_as_boto3_does(
    clients: Clients, wire: BotoWire, name: str, status: int, body: bytes
) -> None:
    """The retries of the client still work."""
    wire.answers = [(status, body), (200, _body(PAGE))]

    answer = clients[name].query(TableName="connections")

    assert answer["Items"] == PAGE["Items"]
    assert answer["ResponseMetadata"]["RetryAttempts"] == 1


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'{"Items": [}', b"<html>"])
def test_plain_query_leaves_broken_json_to_botocore(
    clients: Clients, wire: BotoWire, body: bytes
) -> None:
    """The result is the same with and without us, and has no rows."""
    wire.answers = [(200, body)] * 4

    plain, usual = _outcome(clients["plain"]), _outcome(clients["usual"])

    assert type(plain) is type(usual)
    assert str(plain) == str(usual)
    assert not isinstance(plain, dict) or "Items" not in plain


def _outcome(client: "DynamoDBClient") -> object:
    """Return what a query returns or raises, without what differs in each."""
    try:
        answer = dict(client.query(TableName="connections"))
    except Exception as error:  # noqa: BLE001 - it is compared
        return error
    return answer


def test_plain_query_touches_no_other_operation(clients: Clients, wire: BotoWire) -> None:
    """Only queries have that many rows."""
    item = {"pk": {"S": "all#1"}, "sk": {"S": "a="}}
    wire.answers = [(200, _body({"Item": item}))]

    answer = clients["plain"].get_item(TableName="connections", Key=item)

    assert answer["Item"] == item
    assert wire.operations == ["GetItem"]
