"""The targets, computed from runs."""

from dataclasses import replace
from typing import Any

import pytest

from bench.compare.result import Run
from bench.compare.runs import CRIERS
from bench.compare.targets import judge
from bench.target import Target
from tests.support.figures import a_run

HTTP1 = {"in_flight": 512, "protocol": "http/1.1"}
RUNS = (
    a_run("boto3-sequential", connections=300, in_flight=1, wall_seconds=7.5),
    a_run("node-v2-all-settled", in_flight=64, wall_seconds=2.4),
    a_run("node-v2-all-settled", in_flight=256, wall_seconds=1.8),
    a_run("node-v2-all-settled", in_flight=64, warm=False, wall_seconds=1.0),
    a_run("node-v3-all-settled", in_flight=256, wall_seconds=2.1),
    a_run("node-v3-http2-all-settled", in_flight=100, wall_seconds=1.35),
    a_run("boto3-threads", in_flight=64, wall_seconds=6.0),
    a_run(connections=3_840, in_flight=64, wall_seconds=1.3),
    a_run(),
    a_run(warm=False, wall_seconds=0.15, https_connections=24),
    a_run(
        connections=30_000,
        wall_seconds=0.5,
        posts_per_second=60_000.0,
        latency_ms={"max": 500.0},
        cpu_microseconds_per_post=9.0,
        https_connections=16,
    ),
    a_run(connections=300_000, wall_seconds=5.0, peak_memory_bytes=44_000_000),
    a_run(
        "crier-paced",
        connections=30_000,
        wall_seconds=2.6,
        posts_per_second=11_600.0,
        throttled=150,
        cpu_microseconds_per_post=11.0,
    ),
    a_run("crier-raised-quota", connections=300_000, wall_seconds=7.7),
    a_run(
        "crier-slow-clients",
        connections=30_000,
        wall_seconds=5.0,
        latency_ms={"max": 530.0},
    ),
    a_run("crier-http1", wall_seconds=0.25, wall_seconds_fastest=0.2, **HTTP1),
    a_run("crier-http1", wall_seconds=0.6, warm=False, **HTTP1),
    a_run("crier-http1-paced", connections=30_000, wall_seconds=2.6, **HTTP1),
    a_run("crier-before", wall_seconds=0.2, **HTTP1),
    a_run("crier-before", wall_seconds=0.58, warm=False, **HTTP1),
    a_run("crier-before-paced", connections=30_000, wall_seconds=2.6, **HTTP1),
    a_run("crier-before", connections=300, wall_seconds=0.01, **HTTP1),
)
PROBES = {"import": 1.1, "whole path": 30.0}


def with_usual_in_flight(*runs: Run) -> tuple[Run, ...]:
    """The runs over HTTP/2 at the number in flight that is usual at present."""
    return tuple(
        replace(run, in_flight=CRIERS["crier"])
        if run.protocol == "h2" and run.in_flight == 512
        else run
        for run in runs
    )


ALL = with_usual_in_flight(*RUNS)


def find(targets: tuple[Target, ...], words: str) -> Target:
    """The one target whose name has these words."""
    (found,) = (target for target in targets if words in target.name)
    return found


@pytest.mark.parametrize(
    ("words", "target", "figure"),
    [
        ("Node SDK v2", "≥ 10 x", 12.0),
        ("Node SDK v3", "≥ 10 x", 9.0),
        ("thread pool", "≥ 30 x", 40.0),
        ("boto3 sequential", "≥ 700 x", 500.0),
        ("sustained rate", "≥ 50,000 posts/s", 60_000.0),
        ("CPU per post", "≤ 12 µs", 11.0),
        ("whole path", "≤ 35 µs CPU", 30.0),
        ("from cold", "≤ 0.2 s", 0.15),
        ("HTTPS connections", "≤ 32", 24),
        ("release before", "≤ 1.05 x", 1.0345),
        ("10,000/s: against the floor", "≤ 1.05 x", 1.04),
        ("answered 429", "≤ 1 %", 0.4973),
        ("40,000/s: against the floor", "≤ 1.2 x", 1.1),
        ("peak memory", "≤ 1.15 x", 1.1),
        ("full buffer", "≤ 1.1 x", 1.06),
        ("importing", "≤ 1.2 x", 1.1),
    ],
)
def test_target_has_its_figure(words: str, target: str, figure: float) -> None:
    """Each from the right runs: a peer at its best size, crier at its usual number in flight."""
    found = find(judge(ALL, PROBES), words)

    assert found.target == target
    assert found.figure == pytest.approx(figure, abs=1e-4)


def test_targets_are_met_or_missed_by_their_relation() -> None:
    """≥ 10 with 9 and ≥ 700 with 500 are missed, all others are met."""
    targets = judge(ALL, PROBES)

    assert [target.name for target in targets if not target.met] == [
        "against Node SDK v3 allSettled, either protocol",
        "against boto3 sequential",
    ]
    assert len(targets) == 16
    assert {target.limited_by for target in targets} == {None}


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"connections": 3_000, "wall_seconds": 0.3}, "Node SDK v2"),
        ({"connections": 30_000, "posts_per_second": 35_000.0}, "sustained rate"),
        ({"connections": 300_000, "wall_seconds": 9.0}, "40,000/s"),
    ],
)
def test_target_is_met_when_the_stand_in_is_full_and_that_is_shown(
    changed: dict[str, Any], words: str
) -> None:
    """A core of the stand-in at 97 % is what limits the figure; the target says so."""
    name = "crier-raised-quota" if changed["connections"] == 300_000 else "crier"
    changed |= {"stand_in_cpu_share": 0.97}
    runs = tuple(
        replace(run, **changed)
        if (run.strategy, run.connections, run.warm) == (name, changed["connections"], True)
        else run
        for run in ALL
    )

    found = find(judge(runs, PROBES), words)

    assert (found.met, found.limited_by) == (True, "the stand-in's core, 97%")


def test_target_is_missed_when_the_stand_in_has_time_left() -> None:
    """At 94 % of its core the strategy is what is slow."""
    runs = tuple(
        replace(run, posts_per_second=35_000.0, stand_in_cpu_share=0.94)
        if run.connections == 30_000
        else run
        for run in ALL
    )

    found = find(judge(runs, PROBES), "sustained rate")

    assert (found.met, found.limited_by) == (False, None)


def test_target_of_http1_names_its_slowest_row() -> None:
    """By the fastest repeats of both; a row that only one of them has is left out."""
    found = find(judge(ALL, PROBES), "release before")

    assert found.worst_run == "crier-http1, 3,000, from cold"


@pytest.mark.parametrize(
    ("runs", "probes"), [((), PROBES), (ALL[:7], {}), (ALL[7:8], {"import": 1.0})]
)
def test_target_is_neither_met_nor_missed_when_not_measured(
    runs: tuple[Run, ...], probes: dict[str, float]
) -> None:
    """A part of the plan judges what it can, and invents nothing."""
    targets = judge(runs, probes)

    measured = [target for target in targets if target.figure is not None]
    assert len(measured) == len(probes)
    assert all((target.met is None) == (target.figure is None) for target in targets)
