"""The requests of one broadcast, counted while the function's own code makes it."""

import json
import subprocess
import sys

from bench.paths import ROOT


def test_broadcast_to_3000_takes_30_requests_at_most() -> None:
    """To DynamoDB and SQS together, and no connection is missed: real tables, real queues."""
    run = subprocess.run(
        [sys.executable, "-m", "bench", "scale", "--size", "3000"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=120,
    )

    (broadcast,) = json.loads(run.stdout)["broadcasts"]
    use = broadcast["use"]
    assert use["dynamodb_requests"] + use["queue_requests"] <= 30
    assert (use["invocations"], use["cleanup_requests"]) == (1, 0)
    assert use["dynamodb_requests"] >= 16 + 2, "every shard is read, the account written"
