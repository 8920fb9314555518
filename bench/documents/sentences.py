"""What the documents say of a result in words."""

from bench.compare.result import Result
from bench.documents.blocks import table
from bench.documents.rows import usual
from bench.plots.chosen_runs import best
from bench.target import Target

_NODE = ("node-v2-all-settled", "node-v3-all-settled", "node-v3-http2-all-settled")


def fast(result: Result) -> str:
    """Return the README's first promise."""
    runs = result.runs
    crier = usual(runs, "crier")
    node = min((best(runs, name) for name in _NODE), key=lambda run: run.wall_seconds)
    boto3 = best(runs, "boto3-threads")
    return (
        f"- **Fast.** 3,000 clients in {crier.wall_seconds:.2f} s, on one vCPU and "
        f"{crier.https_connections} HTTPS connections: "
        f"{node.wall_seconds / crier.wall_seconds:.0f} times as fast as the fastest of AWS's SDKs "
        "for Node with `Promise.allSettled`, "
        f"{boto3.wall_seconds / crier.wall_seconds:.0f} times as fast as boto3 in a thread pool."
    )


def cold(result: Result) -> str:
    """Return how long it takes when no connection is open yet."""
    seconds = usual(result.runs, "crier", is_warm=False).wall_seconds
    return f"From cold Crier takes {seconds:.2f} s."


def conditions(result: Result) -> str:
    """Return under which conditions the figures were measured."""
    machine = result.machine
    repeats = max(run.repeats for run in result.runs)
    return (
        f"Measured on {machine['date'][:10]}, on {machine['cores']} shared virtual cores "
        f"({machine['cpu']}, Python {machine['python']}, {machine['openssl']}, Node "
        f"{machine['node']}), one core for the strategy, the other for the stand-in; TLS, median "
        "latency 20 ms, a session token of 900 characters; 3,000 connections unless said; medians "
        f"of {repeats} repeats, each peer at the number in flight that suits it best."
    )


def targets_table(targets: tuple[Target, ...]) -> str:
    """Return every target, its figure, and whether it is met."""
    rows: list[tuple[str, ...]] = [
        (one.name, one.target, _figure(one), _verdict(one)) for one in targets
    ]
    return table(("what", "target", "measured", "met"), rows)


def _figure(target: Target) -> str:
    if target.figure is None:
        return "not measured"
    figure = f"{target.figure:,.2f}" if isinstance(target.figure, float) else str(target.figure)
    return f"{figure} ({target.worst_run})" if target.worst_run else figure


def _verdict(target: Target) -> str:
    if target.met is None:
        return "-"
    if target.limited_by:
        return f"limited by {target.limited_by}"
    return "yes" if target.met else "**no**"
