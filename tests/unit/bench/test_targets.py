"""The targets, computed from runs."""

import pytest

from bench.compare.result import Run
from bench.compare.targets import judge
from bench.target import Target
from tests.support.figures import a_run

RUNS = (
    a_run("boto3-sequential", connections=300, in_flight=1, wall_seconds=7.5),
    a_run("node-v2-all-settled", in_flight=64, wall_seconds=2.4),
    a_run("node-v2-all-settled", in_flight=256, wall_seconds=1.8),
    a_run("node-v2-all-settled", in_flight=64, warm=False, wall_seconds=1.0),
    a_run("node-v3-all-settled", in_flight=256, wall_seconds=2.1),
    a_run("boto3-threads", in_flight=64, wall_seconds=3.0),
    a_run(connections=3_840, in_flight=64, wall_seconds=1.3),
    a_run(),
    a_run(warm=False, wall_seconds=0.45),
    a_run(connections=30_000, wall_seconds=1.5, latency_ms={"max": 1_500.0}),
    a_run(connections=300_000, wall_seconds=15.0, peak_memory_bytes=44_000_000),
    a_run(
        "crier-paced",
        connections=30_000,
        wall_seconds=2.6,
        posts_per_second=11_600.0,
        throttled=150,
        cpu_microseconds_per_post=44.0,
    ),
    a_run(
        "crier-slow-clients",
        connections=30_000,
        wall_seconds=5.0,
        latency_ms={"max": 1_590.0},
    ),
)
PROBES = {"import": 1.1, "whole path": 70.0}


def find(targets: tuple[Target, ...], words: str) -> Target:
    """The one target whose name has these words."""
    (found,) = (target for target in targets if words in target.name)
    return found


@pytest.mark.parametrize(
    ("words", "target", "figure"),
    [
        ("boto3 sequential", "≥ 250 x", 500.0),
        ("Node SDK v2", "≥ 10 x", 12.0),
        ("Node SDK v3", "≥ 15 x", 14.0),
        ("thread pool", "≥ 15 x", 20.0),
        ("sustained rate", "≥ 18,000 posts/s", 20_000.0),
        ("CPU per post", "≤ 45 µs", 44.0),
        ("whole path", "≤ 80 µs CPU", 70.0),
        ("from cold", "≤ 0.5 s", 0.45),
        ("against the floor", "≤ 1.1 x", 1.04),
        ("answered 429", "≤ 1 %", 0.4973),
        ("peak memory", "≤ 1.15 x", 1.1),
        ("full buffer", "≤ 1.1 x", 1.06),
        ("importing", "≤ 1.2 x", 1.1),
    ],
)
def test_target_has_its_figure(words: str, target: str, figure: float) -> None:
    """Each from the right runs: a peer at its best size, crier at its usual number in flight."""
    found = find(judge(RUNS, PROBES), words)

    assert found.target == target
    assert found.figure == pytest.approx(figure, abs=1e-4)


def test_targets_are_met_or_missed_by_their_relation() -> None:
    """≥ 15 with 14 is missed, all others are met."""
    targets = judge(RUNS, PROBES)

    assert [target.name for target in targets if not target.met] == [
        "against Node SDK v3 allSettled"
    ]
    assert len(targets) == 13


@pytest.mark.parametrize(
    ("runs", "probes"), [((), PROBES), (RUNS[:6], {}), (RUNS[6:7], {"import": 1.0})]
)
def test_target_is_neither_met_nor_missed_when_not_measured(
    runs: tuple[Run, ...], probes: dict[str, float]
) -> None:
    """A part of the plan judges what it can, and invents nothing."""
    targets = judge(runs, probes)

    measured = [target for target in targets if target.figure is not None]
    assert len(measured) == len(probes)
    assert all((target.met is None) == (target.figure is None) for target in targets)
