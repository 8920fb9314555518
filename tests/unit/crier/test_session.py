"""Finding the local run."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from crier import session
from crier.errors import CrierError
from crier.local_aws import Endpoint
from crier.session import announced, running_endpoint

HERE = Endpoint("http://127.0.0.1:4566")


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return where a local run is announced, not the project's own place."""
    path = tmp_path / "build" / "local.json"
    monkeypatch.setattr(session, "_FILE", path)
    return path


@pytest.fixture
def dead_pid() -> int:
    """Return the pid of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_session_is_found_as_long_as_it_is_announced(file: Path) -> None:
    """A local run is found while it lasts, and leaves no trace."""
    with announced(HERE):
        found = running_endpoint()

    assert found == HERE
    assert not file.exists()


def test_session_is_forgotten_when_its_run_fails(file: Path) -> None:
    """A run that ends with an error leaves no trace either."""
    with pytest.raises(KeyboardInterrupt), announced(HERE):
        raise KeyboardInterrupt

    assert not file.exists()


def test_session_keeps_the_file_when_another_run_announced_itself(file: Path) -> None:
    """A run that ends does not remove the announcement of a later one."""
    later = json.dumps({"url": "http://127.0.0.1:5000", "pid": os.getppid()})

    with announced(HERE):
        file.write_text(later)

    assert file.read_text() == later


def assert_says_what_to_type(error: CrierError) -> None:
    """Check that the error leads to a local run, or to a deployed stack."""
    assert "no local run is there" in str(error)
    assert "python -m crier local" in str(error)
    assert "--stack" in str(error)


@pytest.mark.usefixtures("file")
def test_session_says_what_to_type_when_there_is_none() -> None:
    """Without a local run the error says how to start one, or how to go without."""
    with pytest.raises(CrierError) as caught:
        running_endpoint()

    assert_says_what_to_type(caught.value)


def test_session_says_what_to_type_when_its_process_is_dead(file: Path, dead_pid: int) -> None:
    """The announcement of a run that was killed does not count."""
    file.parent.mkdir()
    file.write_text(json.dumps({"url": HERE.url, "pid": dead_pid}))

    with pytest.raises(CrierError) as caught:
        running_endpoint()

    assert_says_what_to_type(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"pid": "x"}', '{"pid": null}'])
def test_session_says_what_to_type_when_its_file_is_broken(file: Path, text: str) -> None:
    """A file that is no announcement is as good as none."""
    file.parent.mkdir()
    file.write_text(text)

    with pytest.raises(CrierError) as caught:
        running_endpoint()

    assert_says_what_to_type(caught.value)


def test_session_is_found_when_its_process_is_another_users(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that may not be signalled is alive."""

    def refuse(_pid: int, _signal: int) -> None:
        raise PermissionError

    file.parent.mkdir()
    file.write_text(json.dumps({"url": HERE.url, "pid": 1}))
    monkeypatch.setattr(os, "kill", refuse)

    found = running_endpoint()

    assert found == HERE
