"""The clock of the Python strategies: latencies, the curve, and what is printed."""

import io
import json

import pytest

from bench.compare.job import Job, Pace
from bench.compare.latencies import CURVE_POINTS, Latencies
from bench.compare.measure import Meter, peak_memory_bytes
from bench.compare.measurement import Measurement
from tests.support.figures import a_job, a_measurement


def test_latencies_give_percentiles_within_a_tenth_of_a_percent() -> None:
    """Buckets are as good as a sorted list, in memory that does not grow."""
    seconds = [one / 1_000 for one in range(1, 10_001)]
    latencies = Latencies()

    for one in (*seconds[::2], *seconds[1::2]):
        latencies.note(one)

    expected = {"p50": 5_000, "p95": 9_500, "p99": 9_900, "max": 10_000}
    assert latencies.summary_ms() == pytest.approx(expected, rel=1e-3)
    assert latencies.summary_ms()["max"] == 10_000


def test_latencies_are_zeros_when_there_is_none() -> None:
    """No connection was reached: the measurement says so without failing."""
    latencies = Latencies()

    assert latencies.summary_ms() == {"p50": 0, "p95": 0, "p99": 0, "max": 0}
    assert latencies.curve() == ()


@pytest.mark.parametrize("seconds", [0.0, -1.0, 1e-9, 1e9])
def test_latencies_count_what_is_out_of_range(seconds: float) -> None:
    """No latency is lost, and none breaks the measuring."""
    latencies = Latencies()

    latencies.note(seconds)

    assert [count for _, count in latencies.curve()] == [1]


@pytest.mark.parametrize("connections", [1, 3, CURVE_POINTS, 1_000])
def test_curve_rises_to_everybody_in_at_most_200_points(connections: int) -> None:
    """Times and counts ascend, and the last point is the last answer."""
    latencies = Latencies()
    for number in range(connections):
        latencies.note((number + 1) / 100)

    curve = latencies.curve()

    assert len(curve) == min(connections, CURVE_POINTS)
    assert list(curve) == sorted(curve)
    assert curve[-1] == (connections * 10, connections)


def test_meter_measures_what_comes_after_the_word(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says that it is warm, waits, and prints one measurement, every outcome counted."""
    monkeypatch.setattr("sys.stdin", io.StringIO("\n"))
    meter = Meter("boto3-threads", a_job(connections=4))

    meter.begin()
    for outcome in ("delivered", "gone", "failed", "throttled"):
        meter.note(outcome)
    measurement = meter.finish()

    warm, printed = capsys.readouterr().out.splitlines()
    assert json.loads(warm) == {"warm": True}
    assert Measurement.from_json(printed) == measurement
    counts = (measurement.delivered, measurement.gone, measurement.failed, measurement.throttled)
    assert counts == (1, 1, 1, 1)
    assert measurement.curve[-1][1] == 2, "failed and throttled connections have no latency"
    assert 0 < measurement.latency_ms["max"] <= 1e3 * measurement.wall_seconds


def test_peak_memory_is_that_of_this_process() -> None:
    """In bytes: between what Python takes at least and what no test needs."""
    assert 5e6 < peak_memory_bytes() < 5e9


def test_measurement_is_the_same_after_its_json() -> None:
    """Python and Node print the same keys."""
    measurement = a_measurement()

    assert Measurement.from_json(measurement.to_json()) == measurement


@pytest.mark.parametrize("text", ["[]", "{}", "{", '{"strategy": "x", "curve": []}'])
def test_measurement_refuses_other_json(text: str) -> None:
    """Whatever a strategy prints instead is an error that the caller translates."""
    with pytest.raises((ValueError, TypeError, KeyError)):
        Measurement.from_json(text)


@pytest.mark.parametrize("pace", [None, Pace(posts_per_second=10_000, burst=5_000)])
def test_job_is_the_same_after_its_json(pace: Pace | None) -> None:
    """What the benchmark asks for is what the strategy is told."""
    job = a_job(pace=pace, threads=4)

    assert Job.from_json(job.to_json()) == job


def test_job_names_its_audience() -> None:
    """The ids have the `=` of real ones; warming up reaches no connection of the audience."""
    job = a_job(connections=2, warm_up=1)

    assert list(job.audience) == ["conn-00000000=", "conn-00000001="]
    assert list(job.warm_up_audience) == ["warm-00000000="]
