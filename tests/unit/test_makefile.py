"""The Makefile's errors: what its user is told when something is missing."""

import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {"PATH": os.environ["PATH"]}
"""Without what a make above hands down: it would change the output."""

EXPECTED = "expected Python 3.11 or newer; name one with PYTHON=…\n"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """Return a folder with what the Makefile reads."""
    for path in (ROOT / "Makefile", ROOT / "constraints.txt", *ROOT.glob("requirements*.txt")):
        shutil.copy(path, tmp_path)
    return tmp_path


def program_that(folder: Path, name: str, script: str) -> Path:
    """Return a program that runs a script of the shell."""
    program = folder / name
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o700)
    return program


def make(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run make in a folder."""
    return subprocess.run(
        ["make", *arguments],  # noqa: S607 - the tests are run by make
        capture_output=True,
        check=False,
        cwd=folder,
        env=ENVIRONMENT,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize("verb", ["setup", "aws-cli"])
def test_setup_names_the_python_when_it_is_not_there(clone: Path, verb: str) -> None:
    """The error names the Python that was asked for, and how to name another."""
    done = make(clone, verb, "PYTHON=no-such-python")

    assert done.returncode == 2
    assert done.stdout == f"Error: no-such-python is not there, {EXPECTED}"


def test_setup_says_so_when_the_python_does_not_run(clone: Path) -> None:
    """A version manager has a program for each Python, also for those that are not active."""
    python = program_that(
        clone, "python", "echo 'shim: python3.9: command not found' >&2; exit 127"
    )

    done = make(clone, "setup", f"PYTHON={python}")

    assert done.returncode == 2
    assert done.stdout == f"Error: {python} does not run, {EXPECTED}"
    assert "shim" not in done.stderr


def test_setup_says_so_when_the_python_is_old(clone: Path) -> None:
    """Its own name of its version is told."""
    python = program_that(
        clone, "python", 'case "$2" in "import sys"*) exit 1;; esac; echo Python 3.9.1'
    )

    done = make(clone, "setup", f"PYTHON={python}")

    assert done.returncode == 2
    assert done.stdout == f"Error: {python} is Python 3.9.1, {EXPECTED}"


def set_up(clone: Path) -> None:
    """Let everything be installed already."""
    for name in ("package.json", "package-lock.json", "pyproject.toml"):
        shutil.copy(ROOT / name, clone)
    stamps = (".venv/.ready", ".venv/.crier", "node_modules/.ready", "build/jwt-wheels/.ready")
    for stamp in stamps:
        (clone / stamp).parent.mkdir(parents=True, exist_ok=True)
        (clone / stamp).touch()


RUN = """\
import os, signal, sys
ends = {signal.SIGINT, signal.SIGTERM}
signal.pthread_sigmask(signal.SIG_BLOCK, ends)
os.write(1, b"begun\\n")
signal.sigwait(ends)
os.write(1, b"ended\\n")
sys.exit(130)
"""
"""A local run as far as signals go."""


@pytest.mark.parametrize(
    ("number", "kill"), [(signal.SIGINT, os.killpg), (signal.SIGTERM, os.kill)]
)
def test_local_run_ends_without_an_error_of_its_own_when_it_is_to_end(
    clone: Path, number: signal.Signals, kill: Callable[[int, int], None]
) -> None:
    """Ctrl-C, which all processes of a terminal hear, and a signal to make alone: make waits."""
    program_that(
        clone / ".venv" / "bin", "crier", f"exec {shlex.join([sys.executable, '-c', RUN])}"
    )
    set_up(clone)

    with subprocess.Popen(
        ["make", "local"],  # noqa: S607 - the tests are run by make
        cwd=clone,
        env=ENVIRONMENT,
        start_new_session=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        kill(process.pid, number)
        said, _ = process.communicate(timeout=60)  # until no process has the pipe any more

    assert "ended\n" in said
    assert "Error" not in said


def test_local_run_is_an_error_of_make_when_it_fails(clone: Path) -> None:
    """Any other end is one."""
    program_that(clone / ".venv" / "bin", "crier", "exit 1")
    set_up(clone)

    done = make(clone, "local")

    assert done.returncode == 2
    assert "Error 1" in done.stderr
