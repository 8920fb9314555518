"""What the broadcast function needs around it on the local AWS: tables, rows, an environment."""

import sys
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from testbed.stand_in.process import StandInProcess

sys.path.insert(0, str(Path(__file__).parents[1] / "lambdas"))

from broadcasting.audience import SHARDS, Connection
from broadcasting.connection_row import connection_item

__all__ = ["SHARDS", "fill_table", "function_environment", "make_tables"]

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

CONNECTIONS_TABLE, BROADCASTS_TABLE = "connections", "broadcasts"
_AGE_MS = 600_000
"""Nobody is young: who is gone is cleaned up."""

_BATCH = 25


def make_tables(client: "DynamoDBClient") -> None:
    """Make both tables, with the keys that the stack gives them."""
    for name in (CONNECTIONS_TABLE, BROADCASTS_TABLE):
        client.create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[
                {"AttributeName": "pk", "AttributeType": "S"},
                {"AttributeName": "sk", "AttributeType": "S"},
            ],
        )


def fill_table(client: "DynamoDBClient", ids: Iterable[str]) -> None:
    """Write everybody's row, again where it has been cleaned up."""
    connected_at = time.time_ns() // 1_000_000 - _AGE_MS
    for batch in _batches(iter(ids)):
        client.batch_write_item(
            RequestItems={
                CONNECTIONS_TABLE: [
                    {"PutRequest": {"Item": connection_item(Connection(one, connected_at))}}
                    for one in batch
                ]
            }
        )


def _batches(ids: Iterator[str]) -> Iterator[list[str]]:
    while batch := list(islice(ids, _BATCH)):
        yield batch


def function_environment(
    stand_in: StandInProcess,
    *,
    posts_per_second: int,
    post_burst: int,
    queue_url: str,
    queue_arn: str,
) -> dict[str, str]:
    """Return the function's environment; what it hands over, and dead letters, go to one queue."""
    return {
        "AWS_CA_BUNDLE": str(stand_in.ca_path),
        "BROADCASTS_TABLE": BROADCASTS_TABLE,
        "CALLBACK_URL": stand_in.url,
        "CONNECTIONS_TABLE": CONNECTIONS_TABLE,
        "DEAD_LETTER_QUEUE_URL": queue_url,
        "MAXIMUM_CONCURRENCY": "5",
        "OUTAGE_SECONDS": "3600",
        "POSTS_IN_FLIGHT": "512",
        "POSTS_PER_SECOND": str(posts_per_second),
        "POST_BURST": str(post_burst),
        "POWERTOOLS_SERVICE_NAME": "crier",
        "SLICE_DEAD_LETTER_QUEUE_URL": queue_url,
        "SLICE_QUEUE_ARN": queue_arn,
        "SLICE_QUEUE_URL": queue_url,
    }
