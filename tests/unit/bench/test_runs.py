"""The plan: what is run, how often, in which order."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest

from bench.compare.runner import in_rounds
from bench.compare.runs import (
    CRIER_SIZES,
    CRIERS,
    FULL_REPEATS,
    PlannedRun,
    full,
    is_of_the_sweep,
    only,
    quick,
)
from bench.errors import BenchError
from bench.paths import ROOT
from bench.strategies import registry

Plan = Callable[[], tuple[PlannedRun, ...]]
PEERS = {
    "boto3-sequential",
    "boto3-threads",
    "aiobotocore-gather",
    "node-v2-sequential",
    "node-v2-all-settled",
    "node-v3-sequential",
    "node-v3-all-settled",
    "node-v3-http2-all-settled",
}


@pytest.mark.parametrize("plan", [full, quick])
def test_plan_has_every_strategy(plan: Plan) -> None:
    """Both plans compare all strategies, each started by a known command."""
    strategies = {run.strategy for run in plan()}

    assert strategies == PEERS | CRIERS.keys() == registry.STRATEGIES.keys()


@pytest.mark.parametrize("plan", [full, quick])
def test_plan_has_no_run_twice(plan: Plan) -> None:
    """A run's name, size, number in flight and warmth tell it from all others."""
    keys = Counter((run.name, run.connections, run.in_flight, run.is_warm) for run in plan())

    assert [key for key, count in keys.items() if count > 1] == []


@pytest.mark.parametrize("plan", [full, quick])
def test_plan_has_what_the_targets_need(plan: Plan) -> None:
    """Crier at all sizes, from cold, at both quotas and with slow clients."""
    runs = {(run.name, run.connections, run.is_warm) for run in plan()}

    assert runs >= {("crier", connections, True) for connections in CRIER_SIZES}
    assert runs >= {
        ("crier", 3_000, False),
        ("crier-paced", 30_000, True),
        ("crier-raised-quota", 300_000, True),
        ("crier-slow-clients", 30_000, True),
    }


@pytest.mark.parametrize("plan", [full, quick])
def test_plan_has_each_run_over_http1_beside_that_of_the_release_before(plan: Plan) -> None:
    """One right after the other, with the same options: they are compared row by row."""
    runs = [run for run in plan() if run.in_flight == CRIERS["crier-http1"]]
    now = [run for run in runs if run.strategy == "crier-http1"]
    before = [run for run in runs if run.strategy == "crier-before"]

    assert len(before) >= 5
    for run in before:
        same = replace(
            run, name=run.name.replace("before", "http1"), strategy=run.strategy[:6] + "http1"
        )
        assert same in now
        assert plan().index(same) == plan().index(run) - 1


def test_full_plan_tries_several_sizes_of_each_peer() -> None:
    """A peer is judged by its best size."""
    sizes: dict[str, set[int]] = {}
    for run in full():
        if run.is_warm:
            sizes.setdefault(run.name, set()).add(run.in_flight)

    assert sizes["boto3-threads"] == {32, 64, 128}
    assert sizes["node-v2-all-settled"] == sizes["node-v3-all-settled"] == {64, 128, 256, 512}
    assert sizes["node-v3-http2-all-settled"] == {32, 64, 100, 128, 256, 512}
    assert sizes["crier-http1"] == {16, 32, 64, 128, 256, 512}
    assert sizes["crier"] == {64, 128, 256, 512, 1_024, 2_048, 4_096}


@pytest.mark.parametrize("strategy", ["crier", "crier-http1"])
def test_sweep_has_one_run_for_each_number_in_flight(strategy: str) -> None:
    """A run of 3,000 at another number in flight, or a paced one, is none of it."""
    swept = [
        run.in_flight
        for run in full()
        if run.name == strategy and is_of_the_sweep(run.connections, run.in_flight)
    ]

    assert len(swept) == len(set(swept)) >= 6
    assert CRIERS[strategy] in swept


def test_quick_plan_repeats_long_runs_once() -> None:
    """It is to end within minutes."""
    once = {(run.name, run.connections) for run in quick() if run.most_repeats == 1}

    assert once == {
        ("boto3-sequential", 100),
        ("node-v2-sequential", 100),
        ("node-v3-sequential", 100),
        ("crier", 300_000),
        ("crier-raised-quota", 300_000),
        ("crier-slow-clients", 30_000),
    }


def test_full_plan_repeats_everything() -> None:
    """The longest runs over HTTP/1.1 less often: two releases take half a minute for each."""
    fewer = {(run.name, run.connections) for run in full() if run.most_repeats != FULL_REPEATS}

    assert fewer == {("crier-http1", 300_000), ("crier-before", 300_000)}
    assert min(run.most_repeats for run in full()) == 3


def test_only_takes_a_name_or_a_strategy() -> None:
    """`--only crier` is all of crier, `--only crier-paced` one run."""
    assert {run.strategy for run in only(full(), ["crier"])} == {"crier"}
    assert [run.name for run in only(full(), ["crier-paced"])] == ["crier-paced"]


def test_only_says_what_there_is_when_a_name_is_unknown() -> None:
    """A typo never runs nothing and calls it a result."""
    with pytest.raises(BenchError, match=r"no run named crire.*boto3-threads"):
        only(full(), ["crire"])


def test_rounds_repeat_every_run_before_the_next_one() -> None:
    """Noise meets all runs alike; a long run may be repeated less often."""
    often = PlannedRun(name="often", strategy="crier", connections=1, in_flight=1)
    once = PlannedRun(name="once", strategy="crier", connections=1, in_flight=1, most_repeats=1)

    order = [run.name for run in in_rounds((often, once), 3)]

    assert order == ["often", "once", "often", "often"]
    assert often.most_repeats == FULL_REPEATS


def test_require_says_what_to_type_when_packages_are_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Before anything is run, and with the command that mends it."""
    missing = registry.Strategy("some", ("some",), (ROOT / "bench" / "not-there",))
    monkeypatch.setitem(registry.STRATEGIES, "some", missing)

    with pytest.raises(BenchError, match=r"some needs bench/not-there.*`make bench-setup`"):
        registry.require(["some"])
