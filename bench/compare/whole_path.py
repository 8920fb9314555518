"""What one connection costs from its row to the receipt: read, post, count, clean up.

The broadcast function's own wiring opens a broadcast in the ledger and settles it: rows from the
local AWS's DynamoDB, posts to the stand-in, a tenth of the connections gone and their rows
deleted. Prints one line of JSON. What is measured is the processor time of this process alone.
"""

import json
import os
import time
from collections.abc import Mapping
from statistics import median
from typing import TYPE_CHECKING

import boto3

from bench.compare.cores import Cores, pinned
from bench.compare.runner import FRAME
from bench.errors import BenchError
from broadcasting.audience import Audience
from broadcasting.backlog import ALL_SHARDS
from broadcasting.ledger_opening import NewBroadcast
from broadcasting.ledger_rows import Lease
from crier.local.local_aws import LocalAws
from testbed.function.event_source import Queue
from testbed.stand_in.behaviour import Behaviour
from testbed.stand_in.process import StandInProcess
from testbed.tables import fill_table, function_environment, make_tables
from wiring import broadcast_wiring

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

CONNECTIONS = 3_000
WARM_UPS = 6
"""After these broadcasts as many HTTP connections are open as the work deserves."""
REPEATS = 7
_GONE = Behaviour(gone_share=0.1)
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
        os.environ.update(_environment(stand_in, local_aws.endpoint.url))
        client = boto3.client("dynamodb")
        make_tables(client)
        costs = [_measure(client, stand_in) for _ in range(WARM_UPS + REPEATS)][WARM_UPS:]
    figure = median(costs) * 1e6 / CONNECTIONS
    print(json.dumps({"cpu_microseconds_per_connection": round(figure, 2)}))  # noqa: T201


def _measure(client: "DynamoDBClient", stand_in: StandInProcess) -> float:
    """Return the processor seconds of one broadcast. Raises BenchError for a wrong receipt."""
    ids = [f"conn-{number:08d}=" for number in range(CONNECTIONS)]
    fill_table(client, ids)
    stand_in.behave(_GONE)
    gone = sum(map(_GONE.is_gone, ids))
    wired, now_ms = broadcast_wiring(), time.time_ns() // 1_000_000
    opening = NewBroadcast(
        id=f"whole-path-{now_ms}",
        digest="",
        audience=Audience(),
        frame_of=lambda _: FRAME,
        opened_ms=now_ms,
        expires_ms=0,
        backlog=ALL_SHARDS,
    )
    before = time.process_time()
    deadline = time.monotonic() + _LIMIT_SECONDS
    held = wired.ledger.open(opening, until_ms=now_ms + _LIMIT_SECONDS * 1000, deadline=deadline)
    assert isinstance(held, Lease)
    report = wired.worker.deliver(held, deadline)
    cpu_seconds = time.process_time() - before
    receipt = report.summary.counts
    expected = (CONNECTIONS, CONNECTIONS - gone, gone, 0)
    found = (receipt.targeted, receipt.delivered, receipt.gone, report.stale_rows_left)
    if not report.summary.is_settled or found != expected:
        raise BenchError(f"the receipt is {report}, expected {expected}")
    return cpu_seconds


def _environment(stand_in: StandInProcess, aws_url: str) -> Mapping[str, str]:
    url = f"{aws_url}/000000000000/unused"
    environment = function_environment(
        callback_url=stand_in.url,
        slices=Queue(url, "arn:aws:sqs:us-east-1:000000000000:unused", url),
        dead_letters_url=url,
        posts_per_second=1_000_000,
        post_burst=1_000_000,
    )
    return environment | {"AWS_CA_BUNDLE": str(stand_in.ca_path)}


if __name__ == "__main__":
    main()
