"""The release before: unpacked once, left out where there is none."""

import io
import subprocess
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from bench.compare import before, verb
from bench.compare.runs import quick


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this test's release before is unpacked."""
    path = tmp_path / "before"
    monkeypatch.setattr(before, "BEFORE", path)
    monkeypatch.setattr(before, "_MARK", path / "commit")
    return path


def let_git_say(monkeypatch: pytest.MonkeyPatch, archive: bytes) -> list[tuple[str, ...]]:
    """Let git answer with this archive; returns the commands that it is given."""
    commands: list[tuple[str, ...]] = []

    def run(command: tuple[str, ...], **_: Any) -> Any:
        commands.append(command)
        if not archive:
            raise subprocess.CalledProcessError(128, command)
        return subprocess.CompletedProcess(command, 0, stdout=archive)

    monkeypatch.setattr("subprocess.run", run)
    return commands


def an_archive() -> bytes:
    """A release of one file."""
    packed = io.BytesIO()
    with ZipFile(packed, "w") as archive:
        archive.writestr("lambdas/one.py", "1")
    return packed.getvalue()


def test_release_before_is_unpacked_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left of another one goes; the second time nothing is done."""
    (folder / "lambdas").mkdir(parents=True)
    (folder / "lambdas" / "other.py").write_text("2")
    commands = let_git_say(monkeypatch, an_archive())

    are_there = before.unpack_before(), before.unpack_before()

    assert are_there == (True, True)
    assert [path.name for path in (folder / "lambdas").iterdir()] == ["one.py"]
    assert len(commands) == 1
    assert before.COMMIT in commands[0]


def test_release_before_is_not_there_when_the_history_is_cut(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Git knows no such commit: nothing is unpacked, and that is no error."""
    let_git_say(monkeypatch, b"")

    is_there = before.unpack_before()

    assert not is_there
    assert not folder.exists()


def test_compare_leaves_the_release_before_out_when_it_is_not_there(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """All other runs are measured, and a note says what is missing."""
    monkeypatch.setattr(verb, "unpack_before", lambda: False)

    runs = verb._measurable(quick())

    assert {run.strategy for run in quick()} - {run.strategy for run in runs} == {"crier-before"}
    assert "is not in this checkout: left out" in capfd.readouterr().err
