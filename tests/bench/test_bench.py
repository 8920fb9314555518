"""The benchmark end to end: real strategies in processes of their own, the real stand-in."""

from collections.abc import Iterator

import pytest

from bench.compare.cores import Cores
from bench.compare.result import Run
from bench.compare.runner import ACCESS_KEY, SECRET_KEY, SESSION_TOKEN, Runner
from bench.compare.runs import PlannedRun
from bench.strategies.registry import STRATEGIES
from testbed.stand_in.behaviour import Behaviour
from testbed.stand_in.process import StandInProcess

STRICT = Behaviour(
    latency_median_seconds=0.001,
    gone_share=0.2,
    full_buffer_share=0.2,
    verify_signatures=True,
    access_key=ACCESS_KEY,
    secret_key=SECRET_KEY,
    session_token=SESSION_TOKEN,
)


@pytest.fixture(scope="module")
def runner() -> Iterator[Runner]:
    """A runner with a stand-in, pinned to no core."""
    with StandInProcess() as stand_in:
        yield Runner(stand_in, Cores())


@pytest.mark.parametrize("strategy", [name for name in STRATEGIES if name != "crier"])
def test_peer_accounts_for_every_connection(runner: Runner, strategy: str) -> None:
    """Each of 20 connections once, gone and full ones too, by both accounts; signed rightly."""
    for path in STRATEGIES[strategy].needs:
        if not path.exists():
            pytest.skip(f"{path.name} is not installed: make bench-setup")
    planned = PlannedRun(
        name=strategy,
        strategy=strategy,
        connections=20,
        in_flight=4,
        warm_up=4,
        behaviour=STRICT,
    )

    sample = runner.run(planned)

    run = Run.of(planned, [sample])
    assert sample.complaints == ()
    assert sample.measured.strategy == strategy
    assert sample.report.posts == 20, "warming up is not counted, nothing is repeated"
    assert sample.report.handshakes <= 4
    assert run.delivered + run.gone + run.throttled == 20
    assert run.gone > 0
    assert run.throttled > 0
    assert 0 < run.latency_ms["p50"] <= run.latency_ms["max"] <= 1e3 * run.wall_seconds
    assert run.curve[-1] == (run.latency_ms["max"], run.delivered + run.gone)
    assert run.peak_memory_bytes > 20e6
