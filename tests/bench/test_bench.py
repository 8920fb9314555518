"""The benchmark end to end: real strategies in processes of their own, the real stand-in."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from bench.compare.before import unpack_before
from bench.compare.cores import Cores
from bench.compare.result import Run
from bench.compare.runner import ACCESS_KEY, SECRET_KEY, SESSION_TOKEN, Runner
from bench.compare.runs import CRIERS, PlannedRun
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


@pytest.mark.parametrize("strategy", [name for name in STRATEGIES if name not in CRIERS])
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


@pytest.mark.parametrize("strategy", CRIERS)
def test_crier_accounts_for_every_connection(runner: Runner, strategy: str) -> None:
    """By both accounts, signed rightly, over the protocol that the row is of."""
    if strategy == "crier-before" and not unpack_before():
        pytest.skip("the release before is not in this checkout: its history is cut")
    planned = PlannedRun(
        name=strategy,
        strategy=strategy,
        connections=200,
        in_flight=16,
        warm_up=16,
        behaviour=replace(STRICT, full_buffer_share=0.0),
    )

    sample = runner.run(planned)

    run = Run.of(planned, [sample])
    assert sample.complaints == ()
    assert sample.report.posts == 200, "warming up is not counted, nothing is repeated"
    assert run.delivered + run.gone == 200
    assert run.gone > 0
    assert run.https_connections > 0


def test_peer_over_http2_opens_one_session_for_128_posts(runner: Runner) -> None:
    """Its handler opens another one only past the streams that a server announces."""
    strategy = STRATEGIES["node-v3-http2-all-settled"]
    if not all(path.exists() for path in strategy.needs):
        pytest.skip("the Node SDKs are not installed: make bench-setup")
    planned = PlannedRun(
        name=strategy.name, strategy=strategy.name, connections=300, in_flight=100, warm_up=100
    )

    sample = runner.run(planned)

    assert sample.complaints == ()
    assert sample.connections_opened == 1
    assert sample.report.most_streams == 100
