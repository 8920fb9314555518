"""The Makefile's errors: what its user is told when something is missing."""

import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_setup_names_the_python_when_it_is_not_there(tmp_path: Path) -> None:
    """The error names the Python that was asked for, and how to name another."""
    for name in ("Makefile", "requirements.txt", "requirements-dev.txt", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)

    done = subprocess.run(
        ["make", "setup", "PYTHON=no-such-python"],  # noqa: S607 - the tests are run by make
        capture_output=True,
        check=False,
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"]},  # what a make above hands down would change the output
        text=True,
        timeout=60,
    )

    assert done.returncode == 2
    assert done.stdout == (
        "Error: no-such-python is not there, expected Python 3.11 or newer; "
        "name one with PYTHON=…\n"
    )
