"""What the tests of commands share."""

import time
from collections.abc import Callable

import pytest
from typer.testing import CliRunner, Result

from crier import cli, options
from crier.commands import account_views
from crier.commands import redrive as redrive_command
from tests.support.fake_stack import OPENED_MS, FakeStack

Run = Callable[..., Result]


@pytest.fixture
def run_on_stack() -> Run:
    """Runs a command on the stack that a test lets the commands find, on a wide screen."""

    def one(command: str, *arguments: str) -> Result:
        runner = CliRunner(env={"COLUMNS": "400"})
        return runner.invoke(cli.app, [command, "--stack", "s", *arguments])

    return one


@pytest.fixture
def ledger_stack(monkeypatch: pytest.MonkeyPatch) -> FakeStack:
    """The stack that the commands find, a minute after its broadcasts; nothing waits."""
    fake = FakeStack()
    monkeypatch.setattr(options, "find_deployed", lambda *_: fake)
    monkeypatch.setattr(time, "sleep", lambda _: None)
    for module in (account_views, redrive_command):
        monkeypatch.setattr(module, "now_ms", lambda: OPENED_MS + 60_000)
    return fake


@pytest.fixture
def run_on_ledger(ledger_stack: FakeStack) -> Run:
    """Runs a command on a stack that has a ledger and queues."""
    assert ledger_stack

    def one(*arguments: str, typed: str = "") -> Result:
        runner = CliRunner(env={"COLUMNS": "200"})
        return runner.invoke(cli.app, [arguments[0], "--stack", "s", *arguments[1:]], input=typed)

    return one
