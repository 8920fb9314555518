"""The command line: help, and errors that are messages."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import crier
from crier import cli, terminal
from crier.commands import send as send_command
from crier.errors import CrierError
from crier.local import session
from crier.paths import ROOT

COMMANDS = (
    *("local", "demo", "send", "status", "broadcasts", "dead-letters", "redrive"),
    *("connections", "inspect", "kick", "ticket"),
)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (
            (),
            (
                "--version",
                "local",
                "demo",
                "send",
                "status",
                "broadcasts",
                "dead-letters",
                "redrive",
                "connections",
                "inspect",
                "kick",
                "ticket",
            ),
        ),
        (
            ("local",),
            ("--port", "--page-port", "--cut-after-seconds", "--broadcast-every", "Ctrl-C"),
        ),
        (
            ("send",),
            (
                "MESSAGE",
                "--file",
                "--text",
                "--id",
                "--ttl-seconds",
                "--wait",
                "--timeout",
                "Exit codes: 0",
                "--stack",
            ),
        ),
        (("status",), ("ID", "--failed", "--watch", "--json", "Exit codes: 0", "--stack")),
        (("broadcasts",), ("--limit", "--json", "--stack")),
        (("dead-letters",), ("--limit", "--json", "--stack")),
        (("redrive",), ("MESSAGE_ID", "--rejected", "--json", "Exit codes: 0", "--stack")),
        (("connections",), ("--user", "--limit", "--json", "--stack")),
        (("inspect",), ("ID", "--json", "Exit codes: 0", "--stack")),
        (
            ("kick",),
            (
                *("ID", "--user", "--code", "kicked", "expired", "moved", "shutdown"),
                *("--reconnect-after", "--deny", "--json", "Exit codes: 0", "--stack"),
            ),
        ),
        (("ticket",), ("--user", "--channels", "--seconds", "--json", "--stack")),
        (("demo",), ("--connections", "--channels", "--port", "--figures", "CONNECTIONS")),
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


@pytest.mark.parametrize("command", [(), *[(one,) for one in COMMANDS]])
def test_help_names_the_program_and_no_path(
    command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """What is shown is typed as it is, in whichever way the command line was started."""
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(sys, "argv", ["/somewhere/crier/__main__.py", *command, "--help"])

    with pytest.raises(SystemExit):
        cli.main()

    shown = capfd.readouterr().out
    assert " ".join(["Usage: crier", *command]) in shown
    assert "/somewhere" not in shown
    assert str(ROOT) not in shown


def test_cli_tells_its_version() -> None:
    """The version is that of the sources."""
    result = CliRunner().invoke(cli.app, ["--version"])

    assert (result.exit_code, result.stdout) == (0, f"crier {crier.__version__}\n")


def test_cli_has_help_for_every_command() -> None:
    """No command is without a description."""
    commands = cli.app.registered_commands

    undescribed = [one for one in commands if not (one.callback and one.callback.__doc__)]

    assert len(commands) == 13
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
    assert "`crier local`" in shown.err
    assert "Traceback" not in shown.err
    assert shown.out == ""


@pytest.mark.parametrize("connections", ["0", "50001", "many"])
def test_demo_refuses_connections_when_out_of_bounds(connections: str) -> None:
    """A number of clients that cannot be is refused before anything is started."""
    runner = CliRunner()

    result = runner.invoke(cli.app, ["demo", "--connections", connections])

    assert result.exit_code == 2
    assert "--connections" in result.stderr


def test_demo_refuses_too_few_clients_for_channels() -> None:
    """Each channel and user needs a client beside the one that goes away."""
    result = CliRunner().invoke(cli.app, ["demo", "--channels", "--connections", "5"])

    assert result.exit_code == 2
    assert "found 5, expected 6 or more with --channels" in " ".join(
        result.stderr.replace("│", " ").split()
    )


@pytest.mark.parametrize("command", ["local", "demo"])
@pytest.mark.parametrize("port", ["-1", "65536", "99999", "http"])
def test_cli_refuses_a_port_when_there_is_no_such(command: str, port: str) -> None:
    """A port that cannot be is refused before anything is started."""
    runner = CliRunner()

    result = runner.invoke(cli.app, [command, "--port", port])

    assert result.exit_code == 2
    assert "--port" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--id", "", "x"], '--id: expected a string of 1 to 64 characters, found ""'),
        (["--id", "a" * 65, "x"], "id: expected a string of 1 to 64 characters"),
        (["--id", "\udcff", "x"], "id: expected a string of 1 to 64 characters"),
        (["a" * 131_000], "the frame would be 131115 bytes"),
        (["\udcff"], "lone surrogate"),
        (["1e400"], "number 1e400 is too large"),
        (["[" * 200_000], "nested too deeply"),
        (["--profile", "P", "x"], "--profile and --region need --stack"),
        (["--region", "R", "x"], "--profile and --region need --stack"),
        (["-5"], "[OPTIONS] [--]"),
        (["-5"], "No such option: -5; a message that begins with a dash comes after --"),
        (["- item"], "; a message that begins with a dash comes after --"),
        (["--text me"], "; a message that begins with a dash comes after --"),
        ([], "found no message, expected MESSAGE, - for standard input, or --file PATH"),
        (["--file", "cdk.json", "x"], "found both MESSAGE and --file, expected one of them"),
        (["--file", "cdk.json", "-"], "found both MESSAGE and --file"),
        (["--file", "no.json"], "no.json is not there"),
        (["--file", "."], ". is a folder"),
        (["--file", "docs/img/pace-floor.png"], "docs/img/pace-floor.png is not UTF-8"),
        (["--file", "/dev/null"], "the message is empty"),
        ([""], "the message is empty"),
        (["-"], "the message is empty"),
        (['{"title": "News",}'], "begins like JSON but is not"),
        (["[NaN]"], "NaN is not a JSON number in line 1, column 2"),
        (["[" * 65 + "]" * 65], "nested too deeply: 65 levels, expected at most 64"),
        (["--ttl-seconds", "0", "x"], ": --ttl-seconds: expected a whole number from 1 to 86400"),
        (["--wait", "--timeout", "0", "x"], "--timeout"),
        (["--timeout", "5", "x"], "--timeout needs --wait"),
    ],
)
def test_send_refuses_what_would_be_rejected(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: str
) -> None:
    """What cannot be broadcast is a wrong use, said before any queue is looked for."""
    monkeypatch.chdir(ROOT)
    runner = CliRunner(env={"COLUMNS": "200"})

    result = runner.invoke(cli.app, ["send", *arguments])

    assert result.exit_code == 2
    assert words in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("id_", ["job:fire:1", "日" * 60])
def test_send_prints_the_id_as_it_is(monkeypatch: pytest.MonkeyPatch, id_: str) -> None:
    """A script can read the id: it is no emoji, and on one line however narrow the terminal."""
    monkeypatch.setattr(send_command, "find_deployment", lambda *_: None)
    monkeypatch.setattr(send_command, "enqueue", lambda _deployment, _body: "message-id")
    runner = CliRunner(env={"COLUMNS": "20"})

    result = runner.invoke(cli.app, ["send", "--id", id_, "x"])

    assert result.stdout == f"{id_}\n"


def test_demo_refuses_figures_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """That is said before anything is started."""
    (tmp_path / "taken").write_text("a file")
    figures = tmp_path / "taken" / "demo.json"
    monkeypatch.setattr(sys, "argv", ["crier", "demo", "--connections=1", f"--figures={figures}"])

    with pytest.raises(SystemExit) as ended:
        cli.main()

    assert ended.value.code == 1
    assert capfd.readouterr().err.startswith(f"Error: {figures} cannot be written")


def test_send_knows_the_rules_when_it_runs_by_itself() -> None:
    """`python -m crier` finds the rules of broadcasting where they are installed."""
    environment = {name: one for name, one in os.environ.items() if name != "PYTHONPATH"}

    done = subprocess.run(
        [sys.executable, "-m", "crier", "send", "--id=", "x"],
        capture_output=True,
        check=False,
        cwd=ROOT,
        env=environment,
        text=True,
        timeout=60,
    )

    assert (done.returncode, done.stdout) == (2, "")
    assert "--id: expected a string" in done.stderr


def test_error_is_shown_as_it_is_when_it_has_brackets(capfd: pytest.CaptureFixture[str]) -> None:
    """AWS answers with patterns such as [a-z]*: they are no markup."""
    terminal.show_error(CrierError("expected [a-z]* or [/red]"))

    assert capfd.readouterr().err == "Error: expected [a-z]* or [/red]\n"


def test_error_with_foreign_words_does_not_control_the_terminal(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """A server may say any; the error's own lines stay lines."""
    terminal.show_error(CrierError("sent away (\x1b]0;x\x07\x9b2J\u202e)\nthe log: é"))

    assert capfd.readouterr().err == "Error: sent away (?]0;x??2J?)\nthe log: é\n"


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_cli_works_when_a_stream_is_closed(closed: str) -> None:
    """A shell may start it without standard output, without standard error, or without any."""
    ended = subprocess.run(
        ["/bin/sh", "-c", f'exec "$0" -m crier --version {closed}', sys.executable],
        cwd=ROOT,
        check=False,
        timeout=60,
    )

    assert ended.returncode == 0


def test_ctrl_c_is_obeyed_once_everything_is_imported() -> None:
    """What has been shown or hidden by then is put right before the command line ends."""
    program = (
        "import runpy, signal, sys\n"
        "import crier.cli as cli\n"
        "cli.main = lambda: print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)\n"
        "runpy.run_module('crier', run_name='__main__')"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )

    assert run.stdout == "True\n"
