"""Finding the local run."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from crier import cli
from crier.errors import CrierError
from crier.local import session
from crier.local.local_aws import LocalEndpoint
from crier.local.session import announced, running_endpoint


@pytest.fixture
def here() -> Iterator[LocalEndpoint]:
    """Yield where something listens, as the local AWS of a run does."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield LocalEndpoint(f"http://127.0.0.1:{listener.getsockname()[1]}")


@pytest.fixture
def nowhere() -> LocalEndpoint:
    """Return where nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return LocalEndpoint(f"http://127.0.0.1:{probe.getsockname()[1]}")


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


def test_session_is_found_as_long_as_it_is_announced(file: Path, here: LocalEndpoint) -> None:
    """A local run is found while it lasts, and leaves no trace."""
    with announced(here):
        found = running_endpoint()

    assert found == here
    assert not file.exists()


def test_session_is_forgotten_when_its_run_fails(file: Path, here: LocalEndpoint) -> None:
    """A run that ends with an error leaves no trace either."""
    with pytest.raises(KeyboardInterrupt), announced(here):
        raise KeyboardInterrupt

    assert not file.exists()


def test_session_keeps_the_file_when_another_run_announced_itself(
    file: Path, here: LocalEndpoint
) -> None:
    """A run that ends does not remove the announcement of a later one."""
    later = json.dumps({"url": "http://127.0.0.1:5000", "pid": os.getppid()})

    with announced(here):
        file.write_text(later)

    assert file.read_text() == later


def assert_says_what_to_type(error: CrierError) -> None:
    """Check that the error leads to a local run, or to a deployed stack."""
    assert "no local run is there" in str(error)
    assert "`crier local` and wait for its URLs" in str(error)
    assert "--stack" in str(error)


@pytest.mark.usefixtures("file")
def test_session_says_what_to_type_when_there_is_none() -> None:
    """Without a local run the error says how to start one, or how to go without."""
    with pytest.raises(CrierError) as caught:
        running_endpoint()

    assert_says_what_to_type(caught.value)


@pytest.mark.usefixtures("file")
def test_session_does_not_invite_to_a_local_run_without_a_checkout(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A crier that was installed alone cannot start one."""
    monkeypatch.setattr(session, "is_checkout", lambda: False)

    with pytest.raises(CrierError) as caught:
        running_endpoint()

    assert str(caught.value) == "no local run is there: name a deployed stack with --stack"


def test_session_says_what_to_type_when_its_process_is_dead(
    file: Path, here: LocalEndpoint, dead_pid: int
) -> None:
    """The announcement of a run that was killed does not count."""
    file.parent.mkdir()
    file.write_text(json.dumps({"url": here.url, "pid": dead_pid}))

    with pytest.raises(CrierError) as caught:
        running_endpoint()

    assert_says_what_to_type(caught.value)


def test_session_says_what_to_type_when_its_process_id_is_anothers(
    file: Path, nowhere: LocalEndpoint
) -> None:
    """The announcement of a run that was killed does not count when its process id is reused."""
    file.parent.mkdir()
    file.write_text(json.dumps({"url": nowhere.url, "pid": os.getpid()}))

    with pytest.raises(CrierError) as caught:
        running_endpoint()

    assert_says_what_to_type(caught.value)


def test_session_refuses_a_second_run(file: Path, here: LocalEndpoint) -> None:
    """A run while another is there is refused, and the first is found as before."""
    with announced(here):
        with pytest.raises(CrierError) as caught, announced(LocalEndpoint("http://127.0.0.1:1")):
            pass
        found = running_endpoint()

    assert str(caught.value) == (
        f"a local run is there already, at {here.url}: use it, or end it with Ctrl-C "
        f"(process {os.getpid()})"
    )
    assert found == here
    assert not file.exists()


def test_local_refuses_a_second_run_before_it_starts_anything(
    file: Path,
    here: LocalEndpoint,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """`crier local` says so at once, and leaves the first run's announcement alone."""
    monkeypatch.setattr(sys, "argv", ["crier", "local", "--port", here.url.rpartition(":")[2]])

    with announced(here):
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert file.exists()

    assert ended.value.code == 1
    assert "Error: a local run is there already" in capfd.readouterr().err


def test_session_takes_the_place_of_a_run_that_was_killed(
    file: Path, here: LocalEndpoint, nowhere: LocalEndpoint, dead_pid: int
) -> None:
    """A stale file is no obstacle, whether its process id is free or another's."""
    file.parent.mkdir()
    for stale in ({"url": here.url, "pid": dead_pid}, {"url": nowhere.url, "pid": os.getpid()}):
        file.write_text(json.dumps(stale))

        with announced(here):
            found = running_endpoint()

        assert found == here


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"pid": "x"}', '{"pid": null}'])
def test_session_says_what_to_type_when_its_file_is_broken(file: Path, text: str) -> None:
    """A file that is no announcement is as good as none."""
    file.parent.mkdir()
    file.write_text(text)

    with pytest.raises(CrierError) as caught:
        running_endpoint()

    assert_says_what_to_type(caught.value)


def test_session_is_found_when_its_process_is_another_users(
    file: Path, here: LocalEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that may not be signalled is alive."""

    def refuse(_pid: int, _signal: int) -> None:
        raise PermissionError

    file.parent.mkdir()
    file.write_text(json.dumps({"url": here.url, "pid": 1}))
    monkeypatch.setattr(os, "kill", refuse)

    found = running_endpoint()

    assert found == here
