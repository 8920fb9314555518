"""The deploy settings of `crier local`: passed on, or refused before anything is started."""

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from crier import cli
from crier.commands import local, local_settings
from crier.commands.local_settings import MODES, has_own_issuer, read_settings
from crier.local import own_issuer
from stacks.allowed_values import AUTH

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
        (["denyList=true"], "denyList is true with auth=open, expected only with auth=jwt or"),
    ],
)
def test_setting_is_refused_as_a_deploy_would(given: list[str], said: str) -> None:
    """At once, and with the option's name."""
    with pytest.raises(typer.BadParameter) as caught:
        read_settings(given)

    assert caught.value.message.startswith(said)
    assert caught.value.param_hint == "--setting"
    assert "(-c" not in caught.value.message


@pytest.mark.parametrize("mode", [mode for mode in MODES if mode != "jwt"])
def test_mode_is_the_setting_auth(mode: str) -> None:
    """It is shorter, and needs nothing else."""
    assert read_settings([], mode) == {"auth": mode}
    assert not has_own_issuer(read_settings([], mode))


def test_modes_are_those_of_the_stack() -> None:
    """An installed crier has no stacks, so both have the names."""
    assert MODES == AUTH


def test_mode_jwt_has_an_issuer_of_the_local_runs_own() -> None:
    """`crier local --auth jwt` works by itself; other settings go with it."""
    settings = read_settings(["denyList=true"], "jwt")

    assert settings == {"auth": "jwt", "denyList": "true", **own_issuer.SETTINGS}
    assert has_own_issuer(settings)


def test_mode_jwt_keeps_the_issuer_that_is_given(root: Path) -> None:
    """On the command line, or in a file of the CDK: another secret would lock its tokens out."""
    given = ["issuer=me", "audience=app", f"jwksUrl={KEYS}"]

    of_line = read_settings(given, "jwt")
    of_setting = read_settings(["auth=jwt", *given])
    (root / "cdk.json").write_text(
        '{"context": {"issuer": "me", "audience": "app", "jwtSecret": "key"}}'
    )
    of_file = read_settings([], "jwt")

    assert of_line == of_setting
    assert of_file == {"auth": "jwt"}
    assert not any(map(has_own_issuer, (of_line, of_file)))


def test_mode_jwt_says_what_is_missing_when_an_issuer_is_given_in_part() -> None:
    """Half an issuer is a mistake, and not a wish for ours."""
    with pytest.raises(typer.BadParameter, match="and audience is not set"):
        read_settings(["issuer=me", "jwtSecret=key"], "jwt")


@pytest.mark.parametrize("mode", ["", "JWT", "tickets", "x" * 1_000])
def test_mode_that_is_none_is_refused(mode: str) -> None:
    """With the option's name, and the modes that there are."""
    with pytest.raises(typer.BadParameter) as caught:
        read_settings([], mode)

    assert caught.value.message.startswith(f"found {mode!r:.100}, expected open, iam, jwt or tick")
    assert caught.value.param_hint == "--auth"


def test_mode_is_refused_when_it_is_given_twice() -> None:
    """By `--auth` and as a setting."""
    with pytest.raises(typer.BadParameter, match=r"auth is given twice, by --auth, too: take one"):
        read_settings(["auth=ticket"], "ticket")


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
