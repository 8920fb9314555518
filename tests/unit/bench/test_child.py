"""A strategy's process: what it says, and that it ends."""

import os
import sys
import time
from pathlib import Path

import pytest

from bench.compare.child import Child, neutral_environment
from bench.compare.cores import Cores, pinned
from bench.errors import BenchError
from tests.support.figures import a_measurement

WARM = "print('{\"warm\": true}', flush=True); import sys; sys.stdin.readline();"


def child(program: str, limit_seconds: float = 20.0) -> Child:
    """A child that runs this program; the last argument is where a job would be."""
    command = (sys.executable, "-c", program, "job")
    return Child(command, core=None, limit_seconds=limit_seconds)


def test_child_measures_after_the_word() -> None:
    """The word is given once the child is warm and everything is ready for it."""
    measurement = a_measurement()
    begun: list[bool] = []

    with child(f"{WARM} print({measurement.to_json()!r})") as one:
        found = one.measure(lambda: begun.append(True))

    assert found == measurement
    assert begun == [True]


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("pass", "ended too early"),
        ("print('hello')", "did not say that it is warm but 'hello'"),
        (WARM, "ended too early"),
        (f"{WARM} print('hello')", "no measurement but 'hello'"),
        (f"{WARM} print('{{}}')", "no measurement but '{}'"),
    ],
)
def test_child_fails_clearly_when_it_measures_nothing(program: str, message: str) -> None:
    """Whatever it says instead is in the message."""
    with child(program) as one, pytest.raises(BenchError, match=message):
        one.measure(lambda: None)


def test_child_is_ended_when_it_takes_too_long() -> None:
    """A strategy that hangs does not hang the benchmark."""
    begun = time.monotonic()

    with (
        child(f"{WARM} import time; time.sleep(60)", limit_seconds=0.5) as one,
        pytest.raises(BenchError, match=r"still not done after 0\.5 s"),
    ):
        one.measure(lambda: None)

    assert time.monotonic() - begun < 20


def test_child_is_ended_when_the_benchmark_is_interrupted() -> None:
    """Nothing that was started stays behind."""

    def interrupt() -> None:
        raise KeyboardInterrupt

    with child(f"{WARM} import time; time.sleep(60)") as one, pytest.raises(KeyboardInterrupt):
        one.measure(interrupt)

    with pytest.raises(ProcessLookupError):
        os.kill(one.process_id, 0)


def test_child_runs_the_modules_of_its_tree(tmp_path: Path) -> None:
    """Whatever is installed: so two releases are measured side by side."""
    package = tmp_path / "bench"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "other.py").write_text(f"{WARM} print({a_measurement().to_json()!r})")
    command = (sys.executable, "-m", "bench.other", "job")

    with Child(command, core=None, limit_seconds=20.0, root=tmp_path) as one:
        found = one.measure(lambda: None)

    assert found == a_measurement()


def test_environment_loses_what_would_change_an_sdk() -> None:
    """A developer's profile, proxy or Node options are no part of a measurement."""
    environ = {
        "AWS_PROFILE": "mine",
        "https_proxy": "http://proxy",
        "NODE_OPTIONS": "--inspect",
        "PYTHONPATH": "elsewhere",
        "PATH": "/bin",
    }

    assert neutral_environment(environ) == {"PATH": "/bin"}


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="the system pins nothing")
def test_pinned_restores_the_cores() -> None:
    """What is started within runs on that core, what comes after on all of them."""
    before = os.sched_getaffinity(0)
    core = min(before)

    with pinned(core):
        within = os.sched_getaffinity(0)

    assert within == {core}
    assert os.sched_getaffinity(0) == before


@pytest.mark.parametrize(
    ("usable", "cores"), [({4, 7, 5}, Cores(4, 5)), ({3}, Cores()), ({0, 1}, Cores(0, 1))]
)
def test_cores_are_two_different_ones_or_none(
    monkeypatch: pytest.MonkeyPatch, usable: set[int], cores: Cores
) -> None:
    """With one core only, pinning both to it would measure a queue."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: usable, raising=False)

    assert Cores.find() == cores
