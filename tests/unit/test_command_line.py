"""The page of the command line tells of every command and of every option."""

import re

import pytest
import typer

from crier import cli
from crier.paths import ROOT

COMMANDS = typer.main.get_command(cli.app).commands  # type: ignore[attr-defined]
PAGE = (ROOT / "docs" / "operator" / "command-line.md").read_text()


def section(command: str) -> str:
    """Return what the page says under a command's heading."""
    found = re.search(rf"^## `crier {command}`$(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    return found[1] if found else ""


@pytest.mark.parametrize("name", COMMANDS)
def test_page_documents_every_option(name: str) -> None:
    """Each command has a section of its own, with its arguments and options in it."""
    text = section(name)

    names = [max(one.opts, key=len) for one in COMMANDS[name].params]
    wanted = [
        name if name.startswith("-") else one.metavar or name
        for name, one in zip(names, COMMANDS[name].params, strict=True)
    ]

    assert text
    assert [one for one in wanted if f"`{one}" not in text and one != "--help"] == []


def test_page_has_no_command_that_is_not_there() -> None:
    """Its headings and its first table name the commands that there are."""
    headings = re.findall(r"^## `crier (.*)`$", PAGE, re.MULTILINE)
    first, *_ = PAGE.split("\n\n## ")

    assert headings == re.findall(r"^\| \[`crier (.*?)`\]", first, re.MULTILINE)
    assert set(headings) == set(COMMANDS)
