"""The plan: which strategy posts to how many connections, with which options."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from bench.compare.job import Pace
from bench.errors import BenchError
from delivery.selector_fan_out import IN_FLIGHT
from testbed.stand_in.behaviour import Behaviour

USUAL = Behaviour()
FULL_REPEATS = 5
QUICK_REPEATS = 2
_FEW_REPEATS = 3

THREADS = (32, 64, 128)
TASKS = (64, 128, 256)
SOCKETS = (64, 128, 256, 512)
STREAMS = (32, 64, 100, 128, 256, 512)
CRIERS = {"crier": IN_FLIGHT, "crier-http1": 512, "crier-before": 512}
"""How many posts each has in flight usually: over HTTP/2 as a function does where nothing is set,
over HTTP/1.1 as in the release before, whose figures it is held to."""
CRIER_SIZES = (300, 3_000, 30_000, 300_000)
CRIER_IN_FLIGHTS = (256, 512, 1_024, 2_048, 4_096)
"""What crier's best number in flight for 3,000 is looked for among."""
SWEEPS = {"crier": (64, 128, 256, 512, 1_024, 2_048, 4_096), "crier-http1": (16, 32, 64, 128, 256)}
"""The run of 30,000 stands for the usual number in flight."""
_SUSTAINED = 30_000
_SWEEP_ROUNDS = 60
_SWEEP_MOST = 61_440
QUOTA = Pace(posts_per_second=10_000, burst=5_000)
"""The account's default quota."""
RAISED_QUOTA = Pace(posts_per_second=40_000, burst=20_000)
"""What an account may have asked for."""
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
        *_peers("node-v3-http2-all-settled", STREAMS),
    ]
    cold = [
        replace(run, warm_up=0) for run in peers if run.in_flight == _USUAL_IN_FLIGHT[run.strategy]
    ]
    http1 = (
        replace(run, most_repeats=_FEW_REPEATS) if run.connections == CRIER_SIZES[-1] else run
        for run in _both_http1()
    )
    return (*_sequential(300), *peers, *cold, *_http2(), *_other_in_flights(), *http1, *_sweeps())


def quick() -> tuple[PlannedRun, ...]:
    """Return what the targets need, each peer at its usual size, long runs once."""
    peers = [run for name, size in _USUAL_IN_FLIGHT.items() for run in _peers(name, (size,))]
    http1 = [run for run in _both_http1() if not _is_long(run)]
    runs = (*_sequential(100), *peers, *_http2(), *http1)
    return tuple(replace(run, most_repeats=1) if _is_long(run) else run for run in runs)


def only(runs: Iterable[PlannedRun], names: Iterable[str]) -> tuple[PlannedRun, ...]:
    """Return the runs that have one of these names, or whose strategy has."""
    runs, names = tuple(runs), set(names)
    known = {run.name for run in runs} | {run.strategy for run in runs}
    if unknown := sorted(names - known):
        raise BenchError(f"found no run named {unknown[0]}; expected some of {sorted(known)}")
    return tuple(run for run in runs if {run.name, run.strategy} & names)


def is_of_the_sweep(connections: int, in_flight: int) -> bool:
    """Whether a run of crier tells the sustained rate at its number in flight."""
    return connections in (_SUSTAINED, _sweep_connections(in_flight))


_USUAL_IN_FLIGHT = {
    "boto3-threads": 64,
    "aiobotocore-gather": 64,
    "node-v2-all-settled": 256,
    "node-v3-all-settled": 256,
    "node-v3-http2-all-settled": 128,
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


def _http2() -> tuple[PlannedRun, ...]:
    raised = _at_quota(_crier("crier", 300_000), RAISED_QUOTA)
    return (*_criers("crier"), replace(raised, name="crier-raised-quota"))


def _both_http1() -> Iterable[PlannedRun]:
    """Yield each run over HTTP/1.1 and, right after it, the same one of the release before."""
    for pair in zip(_criers("crier-http1"), _criers("crier-before"), strict=True):
        yield from pair


def _criers(strategy: str) -> tuple[PlannedRun, ...]:
    slow = replace(USUAL, full_buffer_share=FULL_BUFFER_SHARE)
    long = _crier(strategy, _SUSTAINED)
    return (
        *(_crier(strategy, connections) for connections in CRIER_SIZES),
        replace(_crier(strategy, 3_000), warm_up=0),
        replace(_at_quota(long, QUOTA), name=f"{strategy}-paced"),
        replace(long, name=f"{strategy}-slow-clients", behaviour=slow),
    )


def _other_in_flights() -> Sequence[PlannedRun]:
    usual = CRIERS["crier"]
    return [_crier("crier", 3_000, one) for one in CRIER_IN_FLIGHTS if one != usual]


def _sweeps() -> Sequence[PlannedRun]:
    return [
        _crier(strategy, _sweep_connections(in_flight), in_flight)
        for strategy, sizes in SWEEPS.items()
        for in_flight in sizes
        if in_flight != CRIERS[strategy]
    ]


def _sweep_connections(in_flight: int) -> int:
    return min(in_flight * _SWEEP_ROUNDS, _SWEEP_MOST)


def _at_quota(run: PlannedRun, quota: Pace) -> PlannedRun:
    rate = int(quota.posts_per_second)
    behaviour = replace(USUAL, quota_posts_per_second=rate, quota_burst=quota.burst)
    return replace(run, behaviour=behaviour, pace=quota)


def _crier(strategy: str, connections: int, in_flight: int | None = None) -> PlannedRun:
    in_flight = in_flight or CRIERS[strategy]
    return PlannedRun(
        name=strategy,
        strategy=strategy,
        connections=connections,
        in_flight=in_flight,
        warm_up=in_flight * _CRIER_WARM_UP_ROUNDS,
    )
