"""The plots: all of them are drawn, the same each time."""

from pathlib import Path

import pytest

from bench.compare.result import Result
from bench.compare.runs import CRIER_SIZES, CRIERS
from bench.errors import BenchError
from bench.plots.verb import PLOTS, make_plots
from tests.support.figures import a_run

RESULT = Result(
    {},
    (
        *(
            a_run(name, connections=size, wall_seconds=size / 20_000, in_flight=CRIERS[name])
            for name in ("crier", "crier-http1")
            for size in CRIER_SIZES
        ),
        *(a_run(connections=60 * size, in_flight=size) for size in (64, 128)),
        *(a_run("crier-http1", connections=60 * size, in_flight=size) for size in (16, 32)),
        *(
            a_run(name, in_flight=64, wall_seconds=2.0)
            for name in (
                "boto3-threads",
                "aiobotocore-gather",
                "node-v2-all-settled",
                "node-v3-all-settled",
                "node-v3-http2-all-settled",
            )
        ),
        *(
            a_run(f"{library}-sequential", connections=300, in_flight=1, wall_seconds=7.0)
            for library in ("boto3", "node-v2", "node-v3")
        ),
    ),
    (),
)


def test_plots_are_the_same_each_time(tmp_path: Path) -> None:
    """No date and no random ids: a plot changes when its figures do."""
    make_plots(RESULT, tmp_path / "first")
    make_plots(RESULT, tmp_path / "second")

    files = sorted(path.name for path in (tmp_path / "first").iterdir())
    assert files == sorted(f"{name}.{kind}" for name in PLOTS for kind in ("png", "svg"))
    for name in files:
        first = (tmp_path / "first" / name).read_bytes()
        assert first == (tmp_path / "second" / name).read_bytes()


def test_plots_say_what_is_missing(tmp_path: Path) -> None:
    """A result of a part of the plan is not drawn as if it were whole."""
    runs = tuple(run for run in RESULT.runs if run.strategy != "boto3-threads")

    with pytest.raises(BenchError, match="no run of boto3-threads; run `make bench`"):
        make_plots(Result({}, runs, ()), tmp_path)
