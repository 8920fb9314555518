"""The program: its verbs and their help, exit codes, and errors that are messages."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from bench.__main__ import app
from bench.compare import verb
from bench.compare.runner import Sample
from bench.compare.runs import CRIERS, PlannedRun
from bench.errors import BenchError
from tests.support.figures import a_measurement, a_report


@pytest.fixture
def latest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this test's result is written."""
    path = tmp_path / "latest.json"
    monkeypatch.setattr(verb, "LATEST", path)
    monkeypatch.setattr(verb, "PARTIAL", path)
    return path


def measure_with(monkeypatch: pytest.MonkeyPatch, *complaints: str) -> None:
    """Let every run have been measured at once, with these complaints."""

    def measured(runs: tuple[PlannedRun, ...], rounds: int, **_: Any) -> Any:
        sample = Sample(a_measurement(), a_report(), complaints)
        return {run: [sample] * rounds for run in runs}, {"import": 1.0, "whole path": 90.0}

    monkeypatch.setattr(verb, "_measure", measured)
    monkeypatch.setattr(verb, "require", lambda _: None)


VERBS = ("compare", "scale", "simulate", "soak", "storm", "plots", "documents", "promises", "door")


def test_program_names_its_verbs() -> None:
    """All of them, each with a line about it."""
    result = CliRunner(env={"COLUMNS": "200", "TERM": "dumb"}).invoke(app, ["--help"])

    assert [verb for verb in VERBS if verb not in result.stdout] == []


def test_bench_explains_itself() -> None:
    """Every option has help."""
    runner = CliRunner(env={"COLUMNS": "200", "TERM": "dumb"})

    result = runner.invoke(app, ["compare", "--help"])

    assert result.exit_code == 0
    assert [word for word in ("--quick", "--only", "--repeats") if word not in result.stdout] == []


@pytest.mark.parametrize("options", [[], ["--quick"], ["--only", "crier", "--repeats", "1"]])
def test_bench_succeeds_when_targets_are_missed(
    monkeypatch: pytest.MonkeyPatch, latest: Path, options: list[str]
) -> None:
    """A slow machine is no failure: the tables say which targets are missed."""
    measure_with(monkeypatch)

    result = CliRunner().invoke(app, ["compare", *options])

    assert result.exit_code == 0
    assert "missed" in result.stdout
    assert "importing the broadcast handler" in result.stdout
    assert json.loads(latest.read_text()).keys() == {"machine", "runs", "targets"}


def test_bench_fails_when_a_receipt_is_wrong(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], latest: Path
) -> None:
    """Fast but wrong is not a figure: the run and what differs are named."""
    measure_with(monkeypatch, "duplicates: found 1, expected 0")
    options = ("--only", "crier-paced", "--repeats", "1")
    monkeypatch.setattr(sys, "argv", ["bench", "compare", *options])

    with pytest.raises(SystemExit) as ended:
        app()

    assert ended.value.code == 1
    words = " ".join(capfd.readouterr().err.split())
    assert (
        f"Wrong receipt: crier-paced: 30,000, {CRIERS['crier']} in flight: duplicates: found 1"
        in words
    )
    assert latest.exists()


def test_bench_says_what_to_type_when_something_is_missing(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], latest: Path
) -> None:
    """A message on stderr and exit code 1, no traceback, and no result."""

    def missing(_: object) -> None:
        raise BenchError("node-v3 needs bench/peers; run `make bench-setup`")

    monkeypatch.setattr(verb, "require", missing)
    monkeypatch.setattr(sys, "argv", ["bench", "compare"])

    with pytest.raises(SystemExit) as ended:
        app()

    assert ended.value.code == 1
    assert "Error: node-v3 needs bench/peers; run `make bench-setup`" in capfd.readouterr().err
    assert not latest.exists()
