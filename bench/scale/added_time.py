"""What ledger, lease and checkpoints add to the time in which 3,000 connections settle."""

import time
from statistics import median

from bench.scale.function_harness import POST_BURST, POSTS_PER_SECOND, FunctionHarness
from broadcasting.backlog import ALL_SHARDS
from broadcasting.ledger_rows import ROOT, SliceRow
from slices.progress import SliceProgress
from storage.audience_reader import AudienceReader

CONNECTIONS = 3_000
WARM_UPS, REPEATS = 3, 9
_LIMIT_SECONDS = 60.0
_PAUSE_SECONDS = POST_BURST / POSTS_PER_SECOND + 0.1
"""Until the budget's bucket is full again."""


def added_seconds(harness: FunctionHarness) -> tuple[float, float]:
    """Return the medians of reading and posting alone, and of what the ledger adds to it.

    The rows of all connections are in the table. Both are measured in turn.
    """
    pairs = []
    for _ in range(WARM_UPS + REPEATS):
        time.sleep(_PAUSE_SECONDS)
        alone = _post_alone(harness)
        time.sleep(_PAUSE_SECONDS)
        _, _, seconds = harness.broadcast(f"added-{time.time_ns()}")
        pairs.append((alone, seconds - alone))
    measured = pairs[WARM_UPS:]
    return median(one for one, _ in measured), median(added for _, added in measured)


def _post_alone(harness: FunctionHarness) -> float:
    """Read and post with the function's own parts; keep no account, not of connections either."""
    worker = harness.wired.worker
    began = time.monotonic()
    deadline = began + _LIMIT_SECONDS
    reader = AudienceReader(worker.pages, ALL_SHARDS.shards, clock=worker.clock, deadline=deadline)
    audience = SliceProgress(SliceRow("none", ROOT, ALL_SHARDS), reader)
    settled = sum(1 for _ in worker.fan_out.deliver(harness.frame, audience, deadline))
    audience.close()
    assert settled == CONNECTIONS, settled
    return time.monotonic() - began
