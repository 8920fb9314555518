"""The result: accounts that agree, medians of repeats, JSON that is the same again."""

import json
from pathlib import Path
from typing import Any

import pytest

from bench.compare.complaints import complaints
from bench.compare.result import Result, Run
from bench.compare.runner import Sample
from bench.compare.runs import PlannedRun
from bench.errors import BenchError
from bench.target import Limit
from testbed.stand_in.behaviour import Behaviour
from tests.support.figures import a_job, a_measurement, a_report, a_run

WELL = Behaviour()
PLANNED = PlannedRun(name="crier-paced", strategy="crier", connections=3, in_flight=64)


def test_accounts_agree_when_everyone_got_it_once() -> None:
    """Nothing to complain about."""
    assert list(complaints(a_job(), WELL, a_measurement(), a_report(), "h2")) == []


@pytest.mark.parametrize(
    ("measured", "reported", "complaint"),
    [
        ({"delivered": 2}, {}, "outcomes in all: found 2, expected 3"),
        ({"delivered": 2, "failed": 1}, {}, "delivered, as the stand-in counted: found 2"),
        ({"connections": 2}, {}, "connections: found 2, expected 3"),
        ({}, {"delivered": 2}, "delivered, as the stand-in counted: found 3, expected 2"),
        ({}, {"connections_reached": 2}, "different connections reached: found 2, expected 3"),
        ({}, {"delivered": 4, "duplicates": 1}, "duplicates: found 1, expected 0"),
        ({}, {"malformed": 1}, "malformed requests: found 1, expected 0"),
        ({}, {"unsigned": 1}, "unsigned requests: found 1, expected 0"),
        ({"delivered": 2, "gone": 1}, {"delivered": 2}, "gone: found 1, expected 0"),
        (
            {},
            {"posts_by_protocol": {"h2": 1, "http/1.1": 2}},
            "posts that did not speak h2: found 2, expected 0",
        ),
    ],
)
def test_accounts_disagree_when_something_is_lost_or_doubled(
    measured: dict[str, Any], reported: dict[str, Any], complaint: str
) -> None:
    """Whatever differs is named, with what was found and what was expected."""
    found = list(complaints(a_job(), WELL, a_measurement(**measured), a_report(**reported), "h2"))

    assert [one for one in found if one.startswith(complaint)]


def test_accounts_disagree_when_all_say_that_some_were_missed() -> None:
    """Both receipts can agree and be short: the connections to reach are known beforehand."""
    measured = a_measurement(delivered=2, failed=1)
    report = a_report(delivered=2, connections_reached=2)

    found = list(complaints(a_job(), WELL, measured, report, "h2"))

    assert found == ["delivered, missing ones none: found 2, expected 3"]


def test_accounts_agree_when_only_the_gone_and_the_full_are_not_reached() -> None:
    """The stand-in's behaviour says which they are."""
    behaviour = Behaviour(gone_share=0.2, full_buffer_share=0.3)
    job = a_job(connections=1_000)
    gone = sum(map(behaviour.is_gone, job.audience))
    full = sum(map(behaviour.is_full, job.audience))
    delivered = 1_000 - gone - full
    measured = a_measurement(
        connections=1_000, delivered=delivered, gone=gone, throttled=full - 5, failed=5
    )
    report = a_report(delivered=delivered, connections_reached=delivered)

    assert 150 < gone < 250 < full < 350
    assert list(complaints(job, behaviour, measured, report, "h2")) == []


def test_run_is_the_median_of_its_repeats() -> None:
    """Counts, latencies and curve are those of the repeat in the middle."""
    walls = (0.9, 0.3, 0.6)
    samples = [
        Sample(
            a_measurement(wall_seconds=wall, latency_ms={"max": wall}),
            a_report(posts=6, answers={200: 3, 429: 3}, http_connections_opened=opened),
            (),
            opened_before=7,
        )
        for opened, wall in enumerate(walls)
    ]

    run = Run.of(PLANNED, samples)

    assert (run.strategy, run.connections, run.in_flight) == ("crier-paced", 3, 64)
    assert (run.protocol, run.https_connections) == ("h2", 7 + 2)
    assert (run.wall_seconds, run.wall_seconds_fastest, run.wall_seconds_spread) == (0.6, 0.3, 0.6)
    assert run.latency_ms == {"max": 0.6}
    assert run.throttled == 3
    assert run.posts_per_second == 10
    assert run.cpu_microseconds_per_post == pytest.approx(250_000 / 6, rel=1e-3)
    assert run.cpu_share == pytest.approx(0.25 / 0.6, rel=1e-2)
    assert run.stand_in_cpu_share == pytest.approx(0.125 / 0.6, rel=1e-2)
    assert run.repeats == 3
    assert run.warm


@pytest.mark.parametrize(("share", "is_full"), [(0.949, False), (0.95, True), (1.02, True)])
def test_run_says_that_the_stand_in_was_full(share: float, is_full: bool) -> None:  # noqa: FBT001
    """From 95 % of its core on: then it is the stand-in's rate that was measured."""
    assert a_run(stand_in_cpu_share=share).is_stand_in_full is is_full


def test_result_is_the_same_after_its_json(tmp_path: Path) -> None:
    """What is written is what the plots read, with exactly the keys that were promised."""
    met = Limit("≥", 18_000, "posts/s").judge("sustained rate", 20_000.0)
    not_measured = Limit("≤", 1.2, "x").judge("import", None)
    result = Result({"cores": 2}, (a_run(),), (met, not_measured))
    path = tmp_path / "results" / "latest.json"

    result.write(path)

    facts = json.loads(path.read_text())
    assert Result.read(path) == result
    assert facts.keys() == {"machine", "runs", "targets"}
    assert facts["targets"][0].keys() == {"name", "target", "figure", "met"}
    assert facts["runs"][0].keys() == {
        "strategy",
        "protocol",
        "connections",
        "in_flight",
        "warm",
        "wall_seconds",
        "wall_seconds_fastest",
        "wall_seconds_spread",
        "posts_per_second",
        "cpu_microseconds_per_post",
        "peak_memory_bytes",
        "delivered",
        "gone",
        "failed",
        "throttled",
        "latency_ms",
        "curve",
        "repeats",
        "https_connections",
        "cpu_share",
        "stand_in_cpu_share",
    }


@pytest.mark.parametrize("text", [None, "", "{}", '{"machine": {}, "runs": [{}], "targets": []}'])
def test_result_says_what_to_type_when_there_is_none(tmp_path: Path, text: str | None) -> None:
    """A missing file and one of another form are the same error."""
    path = tmp_path / "latest.json"
    if text is not None:
        path.write_text(text)

    with pytest.raises(BenchError, match="run `make bench`"):
        Result.read(path)
