"""What one connection costs from its row to the account: read, post, account, clean-up.

The broadcast function's own wiring opens a broadcast in the ledger and settles it: rows from the
local AWS's DynamoDB, posts to the stand-in, a tenth of the connections gone and their rows
deleted. Prints one line of JSON. What is measured is the processor time of this process alone.
"""

import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import boto3

from bench.cores import Cores, pinned
from bench.errors import BenchError
from bench.runner import FRAME
from bench.stand_in.behaviour import Behaviour
from bench.stand_in.process import StandInProcess
from crier.local_aws import LocalAws

sys.path.insert(0, str(Path(__file__).parents[1] / "lambdas"))

from broadcasting.audience import expires_at, shard_of
from broadcasting.message import EVERYONE
from broadcasting.work import ALL_SHARDS
from storage.ledger import Lease, Opening
from wiring import broadcast_wiring

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

CONNECTIONS = 3_000
WARM_UPS = 6
"""After so many broadcasts as many HTTP connections are open as the work deserves."""
REPEATS = 7
_GONE = Behaviour(gone_share=0.1)
_TABLE, _LEDGER = "connections", "broadcasts"
_AGE_MS = 600_000  # nobody is young: who is gone is cleaned up
_BATCH = 25
_LIMIT_SECONDS = 60


def main() -> None:
    """Measure, and print the median."""
    cores = Cores.find()
    with (
        pinned(cores.stand_in),
        LocalAws() as local_aws,
        StandInProcess(_GONE, cpu=cores.stand_in) as stand_in,
        pinned(cores.strategy),
    ):
        os.environ.update(local_aws.endpoint.environment)
        os.environ.update(_function_environment(stand_in, local_aws.endpoint.url))
        client = boto3.client("dynamodb")
        for name in (_TABLE, _LEDGER):
            _make_table(client, name)
        costs = [_measure(client, stand_in) for _ in range(WARM_UPS + REPEATS)][WARM_UPS:]
    figure = median(costs) * 1e6 / CONNECTIONS
    print(json.dumps({"cpu_microseconds_per_connection": round(figure, 2)}))  # noqa: T201


def _measure(client: "DynamoDBClient", stand_in: StandInProcess) -> float:
    """Return the processor seconds of one broadcast. Raises BenchError for a wrong account."""
    ids = [f"conn-{number:08d}=" for number in range(CONNECTIONS)]
    _fill_table(client, ids)
    stand_in.behave(_GONE)
    gone = sum(map(_GONE.is_gone, ids))
    wired, now_ms = broadcast_wiring(), time.time_ns() // 1_000_000
    opening = Opening(
        id=f"whole-path-{now_ms}",
        digest="",
        channel=EVERYONE,
        frame_of=lambda _: FRAME,
        opened_ms=now_ms,
        expires_ms=0,
        work=ALL_SHARDS,
    )
    before = time.process_time()
    held = wired.ledger.open(opening, until_ms=now_ms + _LIMIT_SECONDS * 1000)
    assert isinstance(held, Lease)
    carried = wired.worker.carry(held, time.monotonic() + _LIMIT_SECONDS)
    cpu_seconds = time.process_time() - before
    account = carried.summary.counts
    expected = (CONNECTIONS, CONNECTIONS - gone, gone, 0)
    found = (account.targeted, account.delivered, account.gone, carried.stale_rows_left)
    if not carried.summary.is_settled or found != expected:
        raise BenchError(f"the account is {carried}, expected {expected}")
    return cpu_seconds


def _function_environment(stand_in: StandInProcess, aws_url: str) -> Mapping[str, str]:
    queue = f"{aws_url}/000000000000/unused"
    return {
        "AWS_CA_BUNDLE": str(stand_in.ca_path),
        "CALLBACK_URL": stand_in.url,
        "BROADCASTS_TABLE": _LEDGER,
        "CONNECTIONS_TABLE": _TABLE,
        "DEAD_LETTER_QUEUE_URL": queue,
        "POST_BURST": "1000000",
        "POSTS_IN_FLIGHT": "512",
        "POSTS_PER_SECOND": "1000000",
        "SLICE_DEAD_LETTER_QUEUE_URL": queue,
        "SLICE_QUEUE_ARN": "arn:aws:sqs:us-east-1:000000000000:unused",
        "SLICE_QUEUE_URL": queue,
    }


def _make_table(client: "DynamoDBClient", name: str) -> None:
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


def _fill_table(client: "DynamoDBClient", ids: list[str]) -> None:
    """Write everybody's row, again where it has been cleaned up."""
    connected_at = time.time_ns() // 1_000_000 - _AGE_MS
    for start in range(0, len(ids), _BATCH):
        client.batch_write_item(
            RequestItems={
                _TABLE: [
                    {
                        "PutRequest": {
                            "Item": {
                                "pk": {"S": f"all#{shard_of(one)}"},
                                "sk": {"S": one},
                                "connectedAt": {"N": str(connected_at)},
                                "expiresAt": {"N": str(expires_at(connected_at))},
                            }
                        }
                    }
                    for one in ids[start : start + _BATCH]
                ]
            }
        )


if __name__ == "__main__":
    main()
