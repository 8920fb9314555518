"""What `crier local` invites to: commands for the shell that its user types in."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from crier.commands import invitation
from crier.commands.demo import refuse_closed_doors
from crier.commands.invitation import show_invitation
from crier.deployed.deployment import Deployment
from crier.errors import CrierError
from crier.local.page.serving import LocalPage

if TYPE_CHECKING:
    import boto3

HERE = Deployment(
    stack="crier-dev",
    session=cast("boto3.Session", None),
    endpoint_url="http://here",
    web_socket_url="ws://here",
    broadcast_queue_url="http://here/broadcasts",
    dead_letter_queue_url="http://here/dead",
    slice_queue_url="http://here/slices",
    slice_dead_letter_queue_url="http://here/dead-slices",
    ledger_table_name="ledger",
    connections_table_name="connections",
    callback_url="http://here/api",
)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder with the programs of an environment into which crier is installed."""
    folder = tmp_path / "environment"
    folder.mkdir()
    _install_crier(folder)
    monkeypatch.setattr(invitation, "PROGRAMS", folder)
    monkeypatch.setattr(invitation, "PYTHON", f"{folder}/python")
    return folder


def _install_crier(folder: Path) -> None:
    (folder / "crier").write_text("#!/bin/sh\n")
    (folder / "crier").chmod(0o700)


def _broadcast_line(capsys: pytest.CaptureFixture[str], users_path: Path) -> str:
    """Return the line under the title of what broadcasts."""
    show_invitation(HERE, users_path=str(users_path))
    lines = capsys.readouterr().out.splitlines()
    return lines[lines.index("Broadcast") + 1]


def test_invitation_says_crier_when_the_users_shell_finds_it(
    programs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The environment is active: the command is short."""
    assert _broadcast_line(capsys, programs) == "crier send --wait 'Hear ye!'"


def test_invitation_names_the_python_when_the_users_shell_finds_no_crier(
    programs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`make local` runs without the environment being active: the command works all the same."""
    line = _broadcast_line(capsys, programs / "nothing")

    assert line == f"{programs}/python -m crier send --wait 'Hear ye!'"


@pytest.mark.usefixtures("programs")
def test_invitation_names_the_python_when_the_users_shell_finds_another_crier(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another installation would not find this local run."""
    other = tmp_path / "other"
    other.mkdir()
    _install_crier(other)

    line = _broadcast_line(capsys, other)

    assert " -m crier send --wait 'Hear ye!'" in line


@pytest.mark.parametrize(
    ("auth", "title", "end"),
    [
        ("open", "Connect", "wscat -c ws://here"),
        (
            "ticket",
            "Make a ticket, and the line that connects with it",
            "crier ticket --user alice",
        ),
        ("ticket", "Table for tickets of your own", "connections"),
        (
            "jwt",
            "Connect, with a token of your issuer for TOKEN",
            "wscat -c 'ws://here?token=TOKEN'",
        ),
    ],
)
def test_invitation_says_how_to_come_in(
    programs: Path, capsys: pytest.CaptureFixture[str], auth: str, title: str, end: str
) -> None:
    """A line that would be refused is no invitation."""
    show_invitation(replace(HERE, auth=auth), users_path=str(programs))

    lines = capsys.readouterr().out.splitlines()

    assert lines[lines.index(title) + 1].endswith(end)


def test_invitation_ends_with_the_page(programs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is what a newcomer opens first; the proxy's URL stands before it."""
    page = LocalPage("http://127.0.0.1:1/", "ws://127.0.0.1:2/dev")

    show_invitation(HERE, users_path=str(programs), page=page)

    lines = capsys.readouterr().out.splitlines()
    assert lines[-5:] == [
        "WebSocket URL for clients that offer sub-protocols",
        "ws://127.0.0.1:2/dev",
        "See it in a page",
        "http://127.0.0.1:1/",
        "",
    ]


def test_invitation_has_a_token_where_the_local_run_signs_them(
    programs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The line works as it is; what tokens of one's own need is there, too."""
    show_invitation(replace(HERE, auth="jwt"), users_path=str(programs), secret="s" * 48)

    lines = capsys.readouterr().out.splitlines()

    line = lines[lines.index("Connect as alice, within 12 hours") + 1]
    assert "wscat -c 'ws://here?token=eyJ" in line
    assert lines[lines.index("Sign tokens of your own, with this secret (HS256)") + 1] == "s" * 48
    assert "https://local.crier.invalid crier" in lines


def test_invitation_signs_the_url_where_the_mode_is_iam(
    programs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The local AWS refuses a URL without a signature."""
    show_invitation(replace(HERE, auth="iam"), users_path=str(programs))

    lines = capsys.readouterr().out.splitlines()

    line = lines[lines.index("Connect, with a signed URL") + 1]
    assert "wscat -c 'ws://here?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=test" in line
    assert "&X-Amz-Signature=" in line


@pytest.mark.parametrize("auth", ["iam", "jwt", "ticket"])
def test_demo_says_what_to_do_when_its_clients_would_be_refused(auth: str) -> None:
    """The mode can only come from a file: the demo has no such option."""
    with pytest.raises(CrierError, match=f"has auth={auth}, expected open for the demo"):
        refuse_closed_doors(replace(HERE, auth=auth))
