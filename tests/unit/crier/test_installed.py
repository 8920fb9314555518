"""What the user of an environment is told in which something is missing."""

import ast
import importlib
import sys
from importlib.metadata import distribution
from pathlib import Path

import pytest

from crier import installed
from crier.installed import (
    explained,
    missing_library,
    refuse_missing_checkout,
    refuse_missing_libraries,
    refuse_missing_node,
)
from crier.paths import ROOT


@pytest.mark.parametrize(
    "file",
    ["app.py", "crier/__init__.py", "crier/__main__.py", "crier/entry.py", "crier/installed.py"],
)
def test_old_python_can_read_what_tells_it(file: str) -> None:
    """Until it is known how old it is, there is nothing in its way that Python 3.6 cannot parse."""
    tree = ast.parse((ROOT / file).read_text(), feature_version=(3, 6))

    assert tree.body


def test_old_python_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Python that is too old is told so, and imports nothing."""
    monkeypatch.setattr(sys, "version_info", (3, 9, 6, "final", 0))

    with pytest.raises(SystemExit) as ended, explained():
        pytest.fail("it was let in")

    assert ended.value.code == (
        f"Error: {sys.executable} is Python 3.9.6, expected 3.11 or newer: activate an "
        "environment made by such a Python, or make one"
    )


def test_missing_library_is_named_with_what_installs_it() -> None:
    """The sentence names the library, the interpreter, and the command to type."""
    with pytest.raises(SystemExit) as ended, explained():
        importlib.import_module("no_such_library.part")

    assert ended.value.code == (
        f"Error: no_such_library is not installed in {sys.executable}: activate the environment "
        f"that has it, or type `{sys.executable} -m pip install -r {ROOT}/requirements.txt`"
    )


def test_missing_package_is_named_when_its_metadata_are_asked_for() -> None:
    """What the layer of the functions is made of is looked for by its name as a package."""
    with pytest.raises(SystemExit) as ended, explained():
        distribution("no-such-package")

    assert str(ended.value.code).startswith("Error: no-such-package is not installed in ")


@pytest.mark.parametrize("module", ["stacks.no_such_module", "broadcasting.no_such_module"])
def test_missing_module_of_ours_is_an_error_of_ours(module: str) -> None:
    """The environment is not blamed for a module that the project itself lacks."""
    with pytest.raises(ModuleNotFoundError), explained():
        importlib.import_module(module)


def test_library_is_installed_by_uv_when_pip_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An environment that uv made has no pip; a path with a space is one word for the shell."""
    python = f"{tmp_path}/my env/bin/python"
    monkeypatch.setattr(sys, "executable", python)
    monkeypatch.setattr(installed, "find_spec", lambda _name: None)

    said = missing_library("typer", "requirements.txt")

    assert said.endswith(f"or type `uv pip install --python '{python}' -r {ROOT}/requirements.txt`")


def test_checkout_that_is_not_installed_is_told_how_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The functions' rules, which crier needs, are found once it is installed."""
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, "broadcasting", raising=False)

    with pytest.raises(SystemExit) as ended, explained():
        importlib.import_module("broadcasting")

    assert str(ended.value.code).startswith(f"Error: crier is not installed in {sys.executable}: ")
    assert str(ended.value.code).endswith(f" -e {ROOT}`")


@pytest.mark.parametrize("command", ["local", "demo"])
def test_missing_checkout_is_named_with_what_is_to_be_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """An installation alone has no app to deploy: it says so in one sentence."""
    monkeypatch.setattr(installed, "_ROOT", tmp_path)

    with pytest.raises(SystemExit) as ended:
        refuse_missing_checkout(command)

    assert ended.value.code == (
        f"Error: `crier {command}` deploys the app, which this installation of crier does not "
        f"have: clone Crier's repository and type `make {command}` there"
    )


def test_missing_library_is_installed_by_its_name_without_a_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no file of requirements then."""
    monkeypatch.setattr(installed, "_ROOT", tmp_path)

    assert missing_library("typer", "requirements.txt").endswith("pip install typer`")


@pytest.mark.parametrize(("named", "looked_for"), [({}, "node"), ({"JSII_NODE": "n"}, "n")])
def test_missing_node_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: dict[str, str], looked_for: str
) -> None:
    """The CDK's library, which looks where JSII_NODE says, would end with a traceback."""
    monkeypatch.delenv("JSII_NODE", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    for name, value in named.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(SystemExit) as ended:
        refuse_missing_node()

    assert str(ended.value.code).startswith(
        f"Error: {looked_for} is not on the PATH, expected Node 22 or newer"
    )


def test_library_of_the_local_aws_is_named_with_what_installs_it() -> None:
    """It is in another file of requirements than what the other commands need."""
    with pytest.raises(SystemExit) as ended:
        refuse_missing_libraries("sys", "no_such_library")

    assert str(ended.value.code).startswith("Error: no_such_library is not installed in ")
    assert str(ended.value.code).endswith(f" -r {ROOT}/requirements-dev.txt`")
