"""The command line: help, and errors that are messages."""

import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from crier import cli, session


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ((), ("local", "send", "demo")),
        (("local",), ("--port", "Ctrl-C")),
        (("send",), ("message", "--id", "--stack", "--profile", "--region")),
        (("demo",), ("--connections", "--port", "--figures", "CONNECTIONS")),
    ],
)
def test_cli_explains_itself_when_asked_for_help(
    command: tuple[str, ...], words: tuple[str, ...]
) -> None:
    """Every command says what it does and which options it has."""
    runner = CliRunner(env={"COLUMNS": "200", "TERM": "dumb"})

    result = runner.invoke(cli.app, [*command, "--help"])

    assert result.exit_code == 0
    assert [word for word in words if word not in result.stdout] == []


def test_cli_has_help_for_every_command() -> None:
    """No command is without a description."""
    commands = cli.app.registered_commands

    undescribed = [one for one in commands if not (one.callback and one.callback.__doc__)]

    assert len(commands) == 3
    assert undescribed == []


def test_send_says_what_to_type_when_no_local_run_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """An error that its user can mend is a message on stderr and exit code 1, no traceback."""
    monkeypatch.setattr(session, "_FILE", tmp_path / "local.json")
    monkeypatch.setattr(sys, "argv", ["crier", "send", "Hear ye!"])

    with pytest.raises(SystemExit) as ended:
        cli.main()

    shown = capfd.readouterr()
    assert ended.value.code == 1
    assert shown.err.startswith("Error: no local run is there")
    assert "python -m crier local" in shown.err
    assert "Traceback" not in shown.err
    assert shown.out == ""


@pytest.mark.parametrize("connections", ["0", "50001", "many"])
def test_demo_refuses_connections_when_out_of_bounds(connections: str) -> None:
    """A number of clients that cannot be is refused before anything is started."""
    runner = CliRunner()

    result = runner.invoke(cli.app, ["demo", "--connections", connections])

    assert result.exit_code == 2
    assert "--connections" in result.stderr


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"text": "Hear ye!"}', {"text": "Hear ye!"}),
        ("[1, null]", [1, None]),
        ("Hear ye!", "Hear ye!"),
        ("", ""),
    ],
)
def test_message_is_json_or_else_a_text(text: str, message: object) -> None:
    """What is JSON is sent as such, anything else as a text."""
    parsed = cli._json_or_text(text)

    assert parsed == message
