"""The plan: which strategy posts to how many connections, with which options."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from bench.compare.job import Pace
from bench.errors import BenchError
from testbed.stand_in.behaviour import Behaviour

USUAL = Behaviour()
FULL_REPEATS = 5
QUICK_REPEATS = 2

THREADS = (32, 64, 128)
TASKS = (64, 128, 256)
SOCKETS = (64, 256, 512)
CRIER_IN_FLIGHT = 512
CRIER_SIZES = (300, 3_000, 30_000, 300_000)
SWEEP = (16, 32, 64, 128, 256)
"""The run of 30,000, with 512 in flight, goes on where this ends."""
_SWEEP_ROUNDS = 60
QUOTA = Pace(posts_per_second=10_000, burst=5_000)
"""The account's default quota."""
FULL_BUFFER_SHARE = 0.01

_WARM_UP = 2_000
"""Enough for the peers: all HTTP connections are open, Node's compiler knows the hot path."""
_SEQUENTIAL_WARM_UP = 20
_CRIER_WARM_UP_ROUNDS = 12
"""Crier opens connections as work deserves them: after these rounds all of them are open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRun:
    """One run, to be repeated. A name other than the strategy's says what is special about it."""

    name: str
    strategy: str
    connections: int
    in_flight: int
    warm_up: int = _WARM_UP
    behaviour: Behaviour = USUAL
    pace: Pace | None = None
    most_repeats: int = FULL_REPEATS

    @property
    def is_warm(self) -> bool:
        """Whether the HTTP connections are open when measuring begins."""
        return self.warm_up > 0


def full() -> tuple[PlannedRun, ...]:
    """Return everything: what the README's figures come from."""
    peers = [
        *_peers("boto3-threads", THREADS),
        *_peers("aiobotocore-gather", TASKS),
        *_peers("node-v2-all-settled", SOCKETS),
        *_peers("node-v3-all-settled", SOCKETS),
    ]
    cold = [
        replace(run, warm_up=0) for run in peers if run.in_flight == _USUAL_IN_FLIGHT[run.strategy]
    ]
    sweep = [_crier(in_flight * _SWEEP_ROUNDS, in_flight=in_flight) for in_flight in SWEEP]
    return (*_sequential(300), *peers, *cold, *_criers(), *sweep)


def quick() -> tuple[PlannedRun, ...]:
    """Return what the targets need, each peer at its usual size, long runs once."""
    peers = [run for name, size in _USUAL_IN_FLIGHT.items() for run in _peers(name, (size,))]
    runs = (*_sequential(100), *peers, *_criers())
    return tuple(replace(run, most_repeats=1) if _is_long(run) else run for run in runs)


def only(runs: Iterable[PlannedRun], names: Iterable[str]) -> tuple[PlannedRun, ...]:
    """Return the runs that have one of these names, or whose strategy has."""
    runs, names = tuple(runs), set(names)
    known = {run.name for run in runs} | {run.strategy for run in runs}
    if unknown := sorted(names - known):
        raise BenchError(f"found no run named {unknown[0]}; expected some of {sorted(known)}")
    return tuple(run for run in runs if {run.name, run.strategy} & names)


_USUAL_IN_FLIGHT = {
    "boto3-threads": 64,
    "aiobotocore-gather": 64,
    "node-v2-all-settled": 256,
    "node-v3-all-settled": 256,
}


def _is_long(run: PlannedRun) -> bool:
    return (
        run.in_flight == 1
        or run.connections == CRIER_SIZES[-1]
        or run.behaviour.full_buffer_share > 0
    )


def _sequential(connections: int) -> tuple[PlannedRun, ...]:
    """Return the loops: each connection takes them the same time, so a few of them tell."""
    return tuple(
        PlannedRun(
            name=f"{library}-sequential",
            strategy=f"{library}-sequential",
            connections=connections,
            in_flight=1,
            warm_up=_SEQUENTIAL_WARM_UP,
        )
        for library in ("boto3", "node-v2", "node-v3")
    )


def _peers(strategy: str, sizes: Iterable[int]) -> list[PlannedRun]:
    return [
        PlannedRun(name=strategy, strategy=strategy, connections=3_000, in_flight=in_flight)
        for in_flight in sizes
    ]


def _criers() -> tuple[PlannedRun, ...]:
    slow = replace(USUAL, full_buffer_share=FULL_BUFFER_SHARE)
    quota = replace(
        USUAL, quota_posts_per_second=int(QUOTA.posts_per_second), quota_burst=QUOTA.burst
    )
    return (
        *(_crier(connections) for connections in CRIER_SIZES),
        replace(_crier(3_000), warm_up=0),
        replace(_crier(30_000), name="crier-paced", behaviour=quota, pace=QUOTA),
        replace(_crier(30_000), name="crier-slow-clients", behaviour=slow),
    )


def _crier(connections: int, in_flight: int = CRIER_IN_FLIGHT) -> PlannedRun:
    return PlannedRun(
        name="crier",
        strategy="crier",
        connections=connections,
        in_flight=in_flight,
        warm_up=in_flight * _CRIER_WARM_UP_ROUNDS,
    )
