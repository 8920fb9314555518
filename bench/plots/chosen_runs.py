"""Which runs of a comparison the plots show, and what they call each strategy."""

from collections.abc import Sequence

from bench.compare.result import Run
from bench.errors import BenchError

LABELS = {
    "crier": "Crier, HTTP/2",
    "crier-http1": "Crier, HTTP/1.1",
    "crier-before": "Crier, the release before",
    "boto3-sequential": "boto3, one after another",
    "boto3-threads": "boto3, thread pool",
    "aiobotocore-gather": "aiobotocore, gather",
    "node-v2-sequential": "Node SDK v2, one after another",
    "node-v2-all-settled": "Node SDK v2, allSettled",
    "node-v3-sequential": "Node SDK v3, one after another",
    "node-v3-all-settled": "Node SDK v3, allSettled",
    "node-v3-http2-all-settled": "Node SDK v3, allSettled, HTTP/2",
}
CRIERS = ("crier", "crier-http1")
SEQUENTIAL = ("boto3-sequential", "node-v3-sequential", "node-v2-sequential")
CONCURRENT_PEERS = (
    "node-v2-all-settled",
    "node-v3-all-settled",
    "node-v3-http2-all-settled",
    "aiobotocore-gather",
    "boto3-threads",
)


def warm(runs: Sequence[Run], strategy: str) -> list[Run]:
    """Return a strategy's runs on open connections; raises BenchError when there is none."""
    found = [run for run in runs if run.strategy == strategy and run.warm]
    if not found:
        raise BenchError(f"the latest result has no run of {strategy}; run `make bench`")
    return found


def best(runs: Sequence[Run], strategy: str, connections: int = 3_000) -> Run:
    """Return a strategy's fastest run at that size."""
    found = [run for run in warm(runs, strategy) if run.connections == connections]
    if not found:
        raise BenchError(f"{strategy} was not measured at {connections:,}; run `make bench`")
    return min(found, key=lambda run: run.wall_seconds)
