"""The README tells of every command and of every option."""

import re

import pytest
import typer

from crier import cli
from crier.paths import ROOT

COMMANDS = typer.main.get_command(cli.app).commands  # type: ignore[attr-defined]


def section(command: str) -> str:
    """Return what the README says under a command's heading."""
    readme = (ROOT / "README.md").read_text()
    found = re.search(rf"^### `crier {command}`$(.*?)(?=^##)", readme, re.MULTILINE | re.DOTALL)
    return found[1] if found else ""


@pytest.mark.parametrize("name", COMMANDS)
def test_readme_documents_every_option(name: str) -> None:
    """Each command has a section of its own, with its arguments and options in it."""
    text = section(name)

    wanted = [one.metavar or max(one.opts, key=len) for one in COMMANDS[name].params]

    assert text
    assert [one for one in wanted if f"`{one}" not in text and one != "--help"] == []
