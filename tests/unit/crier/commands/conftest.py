"""What the tests of commands share."""

from collections.abc import Callable

import pytest
from typer.testing import CliRunner, Result

from crier import cli

Run = Callable[..., Result]


@pytest.fixture
def run_on_stack() -> Run:
    """Runs a command on the stack that a test lets the commands find, on a wide screen."""

    def one(command: str, *arguments: str) -> Result:
        runner = CliRunner(env={"COLUMNS": "400"})
        return runner.invoke(cli.app, [command, "--stack", "s", *arguments])

    return one
