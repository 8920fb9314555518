"""The command that makes a ticket: its row, what is printed, and what is not."""

import json
import logging
import secrets
from collections.abc import Callable
from functools import partial

import pytest
from typer.testing import Result

from access.client import Client
from access.ticket import client_of_ticket, require_ticket
from broadcasting.door_rows import ticket_key
from broadcasting.items import value_of
from crier import options
from crier.commands import ticket as ticket_command
from tests.support.fake_connections import NOW_MS, FakeConnectionsStack

Run = Callable[..., Result]


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> FakeConnectionsStack:
    """The stack that the command finds."""
    fake = FakeConnectionsStack(auth="ticket")
    monkeypatch.setattr(options, "find_deployed", lambda *_: fake)
    monkeypatch.setattr(ticket_command, "now_ms", lambda: NOW_MS)
    return fake


@pytest.fixture
def run(stack: FakeConnectionsStack, run_on_stack: Run) -> Run:
    """Runs the command on the stack."""
    assert stack
    return partial(run_on_stack, "ticket")


def _client_of(stack: FakeConnectionsStack, ticket: str) -> Client:
    """Return whom the authorizer lets in by a ticket, which is the only row."""
    require_ticket(ticket)
    assert list(stack.table.items) == [ticket_key(ticket)]
    row = stack.table.items[ticket_key(ticket)]
    return client_of_ticket({name: value_of(one) for name, one in row.items()}, NOW_MS // 1000)


def test_ticket_lets_its_user_in(stack: FakeConnectionsStack, run: Run) -> None:
    """The authorizer's own rules take it; the URL and a line to connect with are on stdout."""
    done = run("--user", "alice")

    url, wscat = done.stdout.splitlines()
    start, ticket = url.split("?token=")
    client = _client_of(stack, ticket)
    assert (done.exit_code, start) == (0, "wss://api.example/prod")
    assert wscat == f"npx wscat -c '{url}'"
    assert (client.user, client.channels) == ("alice", None)
    assert done.stderr == "It lets one client in, once, within 60 s.\n"


@pytest.mark.parametrize(
    ("given", "channels"),
    [("news game:*", ("news", "game:*")), (" news ", ("news",)), ("*", ("*",)), ("", ())],
)
def test_ticket_names_channels(
    stack: FakeConnectionsStack, run: Run, given: str, channels: tuple[str, ...]
) -> None:
    """As --channels says; an empty one names none, which a forgotten variable makes."""
    done = run("--user", "日本 🦜", "--channels", given, "--seconds", "1", "--json")

    told = json.loads(done.stdout)
    client = _client_of(stack, told["ticket"])
    assert (client.user, client.channels) == ("日本 🦜", channels)
    assert told == {
        "ticket": told["ticket"],
        "url": f"wss://api.example/prod?token={told['ticket']}",
        "expiresAt": NOW_MS // 1000 + 1,
    }


def test_tickets_differ(stack: FakeConnectionsStack, run: Run) -> None:
    """Each has 32 random bytes."""
    made = {json.loads(run("--user", "alice", "--json").stdout)["ticket"] for _ in range(20)}

    assert len(made) == len(stack.table.items) == 20


def test_ticket_of_the_local_run_is_used_by_the_wscat_of_the_checkout(
    stack: FakeConnectionsStack, run: Run
) -> None:
    """The line works as it is, in the project's folder."""
    stack.endpoint_url, stack.web_socket_url = "http://127.0.0.1:1", "ws://127.0.0.1:1/dev"

    url, wscat = run("--user", "alice").stdout.splitlines()

    assert wscat.endswith(f"node_modules/.bin/wscat -c '{url}'")


@pytest.mark.parametrize("auth", ["open", "iam", "jwt"])
def test_ticket_is_refused_when_no_ticket_lets_anyone_in(
    stack: FakeConnectionsStack, run: Run, auth: str
) -> None:
    """It says what was found and expected; nothing is written."""
    stack.auth = auth

    done = run("--user", "alice")

    assert (done.exit_code, done.stdout) == (1, "")
    assert f"lets clients in by auth={auth}, expected auth=ticket" in str(done.exception)
    assert stack.table.calls == []


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--user", ""),
        ("--user", "x" * 129),
        ("--user", "a\x00b"),
        ("--user", "alice", "--seconds", "0"),
        ("--user", "alice", "--seconds", "61"),
        ("--user", "alice", "--channels", "a*b"),
        ("--user", "alice", "--channels", "né"),
        ("--user", "alice", "--channels", "x" * 65),
        ("--user", "alice", "--channels", " ".join(["a"] * 101)),
        ("--user", "alice", "--channels", " ".join(["a" * 63] * 70)),
    ],
)
def test_ticket_refuses_what_the_authorizer_would_refuse(
    stack: FakeConnectionsStack, run: Run, arguments: tuple[str, ...]
) -> None:
    """That is a wrong use; nothing is written."""
    done = run(*arguments)

    assert (done.exit_code, done.stdout) == (2, "")
    assert stack.table.calls == []


def test_ticket_is_on_stdout_only(
    stack: FakeConnectionsStack,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Neither stderr nor a log line nor an error has it: what is printed there is often kept."""
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(secrets, "token_urlsafe", lambda _: "SECRET")

    well = run("--user", "alice")
    stack.table.refuses = {"PutItem"}
    ill = run("--user", "alice")

    assert "SECRET" in well.stdout
    assert "SECRET" not in well.stderr + ill.output + str(ill.exception) + caplog.text
    assert ill.exit_code == 1
    assert "no ticket was written" in str(ill.exception)
    assert "PutItem" in str(ill.exception)
