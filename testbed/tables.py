"""What the broadcast function needs around it on the local AWS: tables, rows, an environment."""

import time
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

from broadcasting.audience import row_key
from broadcasting.connecting_client import ConnectingClient, rows_of
from broadcasting.connection import SHARDS, Connection
from broadcasting.connection_row import connection_item
from broadcasting.items import key_attributes
from testbed.function.event_source import Queue

__all__ = [
    "SHARDS",
    "fill_table",
    "function_environment",
    "join_stream",
    "make_tables",
    "write_connections",
]

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

CONNECTIONS_TABLE, LEDGER_TABLE = "connections", "broadcasts"
_AGE_MS = 600_000
"""No connection is young: the row of one that is gone is deleted."""

_BATCH = 25
_KEYS = {"pk": "HASH", "sk": "RANGE"}


def make_tables(client: "DynamoDBClient", *names: str) -> None:
    """Make tables with the keys that the stack gives them: the function's two without names."""
    for name in names or (CONNECTIONS_TABLE, LEDGER_TABLE):
        client.create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in _KEYS.items()],  # type: ignore[typeddict-item]
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in _KEYS],
        )


def fill_table(client: "DynamoDBClient", ids: Iterable[str]) -> None:
    """Write the row of each connection, again where it has been cleaned up."""
    write_connections(client, CONNECTIONS_TABLE, ids, time.time_ns() // 1_000_000)


def write_connections(
    client: "DynamoDBClient",
    table: str,
    ids: Iterable[str],
    now_ms: int,
    *,
    user: str | None = None,
) -> None:
    """Write all rows of connections that are ten minutes old, anonymous ones or a user's."""
    connections = (Connection(one, now_ms - _AGE_MS) for one in ids)
    rows = (row for one in connections for row in rows_of(ConnectingClient(one, user)))
    puts = ({"PutRequest": {"Item": row}} for row in rows)
    for batch in _batches(puts):
        client.batch_write_item(RequestItems={table: batch})


def join_stream(
    client: "DynamoDBClient", table: str, stream: str, ids: Iterable[str], now_ms: int
) -> None:
    """Write the rows by which broadcasts of a stream find connections ten minutes old."""
    rows = (
        connection_item(Connection(one, now_ms - _AGE_MS)) | key_attributes(row_key(stream, one))
        for one in ids
    )
    for batch in _batches({"PutRequest": {"Item": row}} for row in rows):
        client.batch_write_item(RequestItems={table: batch})


def _batches(puts: Iterator[Any]) -> Iterator[list[Any]]:
    while batch := list(islice(puts, _BATCH)):
        yield batch


def function_environment(
    *,
    callback_url: str,
    slices: Queue,
    dead_letters_url: str,
    posts_per_second: int,
    post_burst: int,
    posts_in_flight: int = 1_024,
    outage_seconds: int = 3_600,
    replay_seconds: int = 86_400,
    connections_table: str = CONNECTIONS_TABLE,
    ledger_table: str = LEDGER_TABLE,
) -> dict[str, str]:
    """Return the function's environment; `dead_letters_url` is of the queue for broadcasts."""
    return {
        "BROADCASTS_TABLE": ledger_table,
        "CALLBACK_URL": callback_url,
        "CONNECTIONS_TABLE": connections_table,
        "DEAD_LETTER_QUEUE_URL": dead_letters_url,
        "HTTP2": "true",
        "MAXIMUM_CONCURRENCY": "5",
        "OUTAGE_SECONDS": str(outage_seconds),
        "POSTS_IN_FLIGHT": str(posts_in_flight),
        "POSTS_PER_SECOND": str(posts_per_second),
        "POST_BURST": str(post_burst),
        "POWERTOOLS_SERVICE_NAME": "crier",
        "REPLAY_SECONDS": str(replay_seconds),
        "SLICE_DEAD_LETTER_QUEUE_URL": slices.dead_url,
        "SLICE_QUEUE_ARN": slices.arn,
        "SLICE_QUEUE_URL": slices.url,
    }
