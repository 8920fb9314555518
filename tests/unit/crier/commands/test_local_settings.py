"""The deploy settings of `crier local`: passed on, or refused before anything is started."""

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from crier import cli
from crier.commands import local, local_settings
from crier.commands.local_settings import read_settings

KEYS = "http://127.0.0.1:4566/pool/.well-known/jwks.json"


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the project's folder, and let the user's home be another, both empty."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.setattr(local_settings, "ROOT", folder)
    return folder


def test_settings_are_names_and_values() -> None:
    """A value may have the sign in it; it stays a text, as the CDK passes it on."""
    given = ["auth=jwt", "issuer=a=b", "audience=app", f"jwksUrl={KEYS}", "denyList=true"]

    assert read_settings(given) == {
        "auth": "jwt",
        "issuer": "a=b",
        "audience": "app",
        "jwksUrl": KEYS,
        "denyList": "true",
    }
    assert read_settings([]) == {}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["auth"], "found 'auth', expected NAME=VALUE, such as auth=ticket"),
        (["=ticket"], "found '=ticket', expected NAME=VALUE"),
        ([""], "found '', expected NAME=VALUE"),
        (["aws:cdk:x=1"], "found 'aws:cdk:x=1', expected NAME=VALUE"),
        (["stage=prod"], "stage is what the local run sets itself: take it out"),
        (["localCallbackBase=http://127.0.0.1"], "localCallbackBase is what the local run sets"),
        (["auth=open", "auth=ticket"], "auth is given twice: take one out"),
        (["auth=tickets"], "auth is 'tickets', expected open, iam, jwt or ticket (--setting auth"),
        (["auht=ticket"], "there is no setting 'auht'; did you mean auth?"),
        (["auth=jwt"], "auth is 'jwt' and issuer is not set, expected the claim `iss`"),
        (["denyList=true"], "denyList is True with auth=open, expected only with auth=jwt or"),
    ],
)
def test_setting_is_refused_as_a_deploy_would(given: list[str], said: str) -> None:
    """At once, and with the option's name."""
    with pytest.raises(typer.BadParameter) as caught:
        read_settings(given)

    assert caught.value.message.startswith(said)
    assert caught.value.param_hint == "--setting"
    assert "(-c" not in caught.value.message


def test_settings_are_checked_with_those_of_the_cdks_files(root: Path) -> None:
    """What cdk.json has is a part of the deploy; the command line wins."""
    (root / "cdk.json").write_text('{"context": {"auth": "ticket", "stage": "prod"}}')

    assert read_settings(["denyList=true"]) == {"denyList": "true"}
    assert read_settings(["auth=open"]) == {"auth": "open"}


def test_local_run_refuses_a_setting_before_it_starts_anything(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is wrong use, which is exit code 2."""

    def start(*_: object) -> None:
        raise AssertionError("something is started")

    monkeypatch.setattr(local, "end_killed_runs", start)

    done = CliRunner(env={"COLUMNS": "200"}).invoke(cli.app, ["local", "--setting", "auth=jwt"])

    assert done.exit_code == 2
    assert "Invalid value for --setting: auth is 'jwt' and issuer is not set" in done.output
