"""Processes and files of a killed run are ended and deleted by the next one, and no others."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from crier.local import run_folder
from crier.local.run_folder import RunFolder, end_killed_runs
from crier.paths import ROOT

RUN = """
import sys
from crier.local.run_folder import RunFolder
run = RunFolder()
script = "trap '' TERM; sleep 60 & wait"
process = run.start(["/bin/sh", "-c", script], stdout=sys.stderr)
print(run.path, process.pid, flush=True)
input()
"""


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return where the runs have their folders."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


class Run:
    """A run in a process of its own, with a group of processes that it has started."""

    def __init__(self, temporary: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", RUN],
            cwd=ROOT,
            env={**os.environ, "TMPDIR": str(temporary)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        folder, group = self._process.stdout.readline().split()
        self.folder, self.group = Path(folder.decode()), int(group)

    @property
    def is_alive(self) -> bool:
        """Whether any process of it has its output open: one that has ended may not be reaped."""
        assert self._process.stderr is not None
        os.set_blocking(self._process.stderr.fileno(), False)
        return self._process.stderr.read(1) is None

    def kill(self) -> None:
        """Kill the run's own process, and nothing that it has started."""
        self._process.kill()
        self._process.wait()

    def end(self) -> None:
        """Leave nothing to other tests."""
        self.kill()
        if self.is_alive:
            os.killpg(self.group, signal.SIGKILL)
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            assert stream is not None
            stream.close()


@pytest.fixture
def run(temporary: Path) -> Iterator[Run]:
    """Yield a run that goes on."""
    one = Run(temporary)
    yield one
    one.end()


def test_killed_run_is_ended_and_deleted(run: Run) -> None:
    """Its processes end, those too that do not end when they are asked, and its folder goes."""
    run.kill()
    assert run.is_alive

    end_killed_runs()

    assert not run.folder.exists()
    assert not run.is_alive


def test_living_run_is_left_alone(run: Run) -> None:
    """Another run may go on at the same time: a second one, or that of another checkout."""
    end_killed_runs()

    assert run.folder.exists()
    assert run.is_alive


def test_own_run_is_left_alone(temporary: Path) -> None:
    """A run that starts does not take itself for one that was killed."""
    own = RunFolder()

    end_killed_runs()

    assert list(temporary.iterdir()) == [own.path]
    own.remove()
    assert list(temporary.iterdir()) == []


def test_process_is_left_alone_when_it_has_the_id_of_one_that_ended(
    temporary: Path, run: Run
) -> None:
    """An id is used again when its group has ended: then the group's lock is free."""
    ended = Run(temporary)
    ended.end()
    (ended.folder / f"group-{ended.group}").rename(ended.folder / f"group-{run.group}")

    end_killed_runs()

    assert not ended.folder.exists()
    assert run.is_alive


@pytest.mark.parametrize("name", ["crier-notes", "crier-", "other"])
def test_folder_is_left_alone_when_it_is_no_runs(temporary: Path, name: str) -> None:
    """A folder of another's with a name like ours stays."""
    (temporary / name).mkdir()

    end_killed_runs()

    assert list(temporary.iterdir()) == [temporary / name]


def test_folder_is_left_alone_when_it_is_elsewhere(temporary: Path) -> None:
    """A link in the folder for temporary files leads to nothing of ours."""
    elsewhere = temporary / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "run.lock").touch()
    (temporary / "crier-link").symlink_to(elsewhere)

    end_killed_runs()

    assert (elsewhere / "run.lock").exists()


def test_folder_is_left_alone_when_it_is_another_users(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even root ends nothing but its own."""
    run.kill()
    monkeypatch.setattr(os, "getuid", lambda: 12_345)

    end_killed_runs()

    assert run.folder.exists()
    assert run.is_alive


def test_folder_is_kept_when_its_processes_do_not_end(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be ended now is left to the next start, with the locks that tell of it."""
    run.kill()
    monkeypatch.setattr(run_folder, "_DEATH_SECONDS", 0.0)
    monkeypatch.setattr(run_folder, "_KILL", signal.SIGCONT)

    end_killed_runs()

    assert run.folder.exists()
    assert run.is_alive


def test_folder_that_cannot_be_deleted_whole_is_found_again(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lock is deleted last: by it the next start finds the folder, and deletes it."""
    (run.folder / "logs").mkdir()
    run.kill()
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", lambda _path, **_options: None)
        end_killed_runs()

    left = {one.name for one in run.folder.iterdir()}
    end_killed_runs()

    assert left == {"logs", "run.lock"}
    assert not run.folder.exists()
