"""The rows of the table of runs, as the documents show them."""

from collections.abc import Iterator, Sequence

from bench.compare.result import Run
from bench.compare.runs import CRIERS
from bench.documents.blocks import table
from bench.errors import BenchError
from bench.plots.chosen_runs import CONCURRENT_PEERS, LABELS, SEQUENTIAL, best, warm

NAMES = (
    *("way", "in flight", "time", "posts/s", "HTTPS connections"),
    *("own core", "stand-in's core", "CPU per post"),
)
_SAID = {
    "paced": "at a quota of 10,000/s",
    "raised-quota": "at a quota of 40,000/s",
    "slow-clients": "1 client in 100 with a full buffer",
}
_AUDIENCE = 3_000


def measured_table(runs: Sequence[Run]) -> str:
    """Return all ways of posting: each peer at its best, crier in all its rows."""
    peers = [*(warm(runs, name)[0] for name in SEQUENTIAL), *_best_peers(runs)]
    criers = [run for name in reversed(CRIERS) for run in _crier_rows(runs, name)]
    return table(NAMES, [row(run) for run in (*peers, *criers)])


def short_table(runs: Sequence[Run]) -> str:
    """Return one row for each kind of way: what the README has room for."""
    chosen = [
        warm(runs, "boto3-sequential")[0],
        best(runs, "boto3-threads"),
        min((best(runs, name) for name in CONCURRENT_PEERS), key=lambda run: run.wall_seconds),
        usual(runs, "crier-http1"),
        usual(runs, "crier"),
    ]
    return table(NAMES, [row(run) for run in chosen])


def usual(runs: Sequence[Run], strategy: str, *, is_warm: bool = True) -> Run:
    """Return crier's run of 3,000 at its usual number in flight; raises BenchError for none."""
    for run in _crier_rows(runs, strategy):
        if (run.connections, run.warm, run.strategy) == (_AUDIENCE, is_warm, strategy):
            return run
    raise BenchError(f"{strategy} was not measured at {_AUDIENCE:,}; run `make bench`")


def row(run: Run) -> tuple[str, ...]:
    """Return what one run shows."""
    return (
        _way(run),
        f"{run.in_flight:,}",
        f"{run.wall_seconds:,.2f} s",
        f"{run.posts_per_second:,.0f}",
        f"{run.https_connections:,}",
        f"{run.cpu_share:.0%}",
        f"{run.stand_in_cpu_share:.0%}{', **full**' * run.is_stand_in_full}",
        f"{run.cpu_microseconds_per_post:,.1f} µs",
    )


def _best_peers(runs: Sequence[Run]) -> list[Run]:
    found = [best(runs, name) for name in CONCURRENT_PEERS]
    return sorted(found, key=lambda run: run.wall_seconds, reverse=True)


def _crier_rows(runs: Sequence[Run], strategy: str) -> Iterator[Run]:
    """Yield crier's rows by one protocol, at its usual number in flight.

    That is the one of the run from cold: a result tells it, whatever is usual by now.
    """
    found = [run for run in runs if _special(run)[0] == strategy]
    usual_in_flight = {run.in_flight for run in found if not run.warm}
    yield from (run for run in found if run.in_flight in usual_in_flight)


def _special(run: Run) -> tuple[str, str]:
    """Return the way's name, and what is special about the run."""
    for special in _SAID:
        if run.strategy.endswith(f"-{special}"):
            return run.strategy.removesuffix(f"-{special}"), special
    return run.strategy, ""


def _way(run: Run) -> str:
    name, special = _special(run)
    words = [f"**{LABELS[name]}**" if name == "crier" else LABELS[name]]
    if run.connections != _AUDIENCE:
        words.append(f"{run.connections:,}")
    if not run.warm:
        words.append("no connection open yet")
    if special:
        words.append(_SAID[special])
    return ", ".join(words)
