"""The layer for tokens: exactly the pinned wheels, unpacked alike anywhere, or a clear refusal."""

import hashlib
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from zipfile import ZipFile, ZipInfo

import aws_cdk as cdk
import pytest

from stacks.parts import jwt_layer
from stacks.parts.dependencies import DependencyError
from stacks.parts.jwt_layer import FOR_LAMBDA, jwt_layers, read_pins, stage
from stacks.settings import DeploySettings

ROOT = Path(__file__).parents[3]
PINS = (ROOT / "requirements-jwt-layer.txt").read_text()
FILES = {
    "token/__init__.py": "text",
    "token/fast.so": "compiled",
    "token-1.0.dist-info/METADATA": "metadata",
}
JWT = {
    "auth": "jwt",
    "issuer": "https://i.example",
    "audience": "app",
    "jwksUrl": "https://i.example/keys",
}
LOCAL = {"localCallbackBase": "http://127.0.0.1:4566/_aws/execute-api"}


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    """Return a folder for wheels, with nothing in it."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    return folder


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a package index without packages, which pip asks instead of the real one."""
    folder = tmp_path / "index"
    folder.mkdir()
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def pin(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *wheels: Path) -> None:
    """Let these wheels be the pinned ones."""
    pins = tmp_path / "requirements-jwt-layer.txt"
    lines = []
    for wheel in wheels:
        name, version, *_ = wheel.name.split("-")
        lines.append(f"{name}=={version} --hash=sha256:{_digest(wheel)}\n")
    pins.write_text("".join(lines))
    monkeypatch.setattr(jwt_layer, "_PINS", pins)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def wheel_in(folder: Path, name: str = "token", files: Mapping[str, str] = FILES) -> Path:
    """Write a wheel for any machine; its files have odd permissions and times."""
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with ZipFile(path, "w") as archive:
        for file, text in files.items():
            entry = ZipInfo(file, (2001, 2, 3, 4, 5, 6))
            entry.external_attr = 0o600 << 16
            archive.writestr(entry, text)
    return path


def test_layer_has_the_modules_of_the_pinned_wheels(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, wheels: Path
) -> None:
    """Below `python/`, readable for all, without metadata, in a folder named after the wheels."""
    pin(monkeypatch, tmp_path, wheel_in(wheels))

    folder = stage(tmp_path / "build", wheels=wheels)

    files = {path for path in folder.rglob("*") if path.is_file()}
    assert re.fullmatch(r"token-1\.0-[0-9a-f]{8}", folder.name)
    assert {str(path.relative_to(folder)) for path in files} == {
        "python/token/__init__.py",
        "python/token/fast.so",
    }
    assert {path.stat().st_mode & 0o777 for path in files} == {0o644}
    assert stage(tmp_path / "build", wheels=tmp_path / "no wheels") == folder


def test_layer_is_made_anew_when_a_version_is_pinned_with_other_bytes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, wheels: Path
) -> None:
    """What was made of the bytes before is not deployed in their place."""
    pin(monkeypatch, tmp_path, wheel_in(wheels))
    before = stage(tmp_path / "build", wheels=wheels)
    pin(monkeypatch, tmp_path, wheel_in(wheels, files={"token/__init__.py": "other text"}))

    folder = stage(tmp_path / "build", wheels=wheels)

    assert folder != before
    assert (folder / "python" / "token" / "__init__.py").read_text() == "other text"


def test_layer_is_not_made_of_other_bytes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, wheels: Path, index: Path
) -> None:
    """A wheel that was changed after it was fetched is fetched again, and refused if it is so."""
    pin(monkeypatch, tmp_path, wheel_in(wheels))
    wheel_in(wheels, files={"token/__init__.py": "other text"})
    wheel_in(index, files={"token/__init__.py": "other text"})

    with pytest.raises(DependencyError, match=r"could not be fetched \(.*\): try again"):
        stage(tmp_path / "build", wheels=wheels)

    assert not (tmp_path / "build").exists()


def test_wheels_are_fetched_when_they_are_not_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, index: Path
) -> None:
    """That is the plain way of the CDK, without make."""
    metadata = {
        "token-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: token\nVersion: 1.0\n",
        "token-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nTag: py3-none-any\n",
    }
    pin(monkeypatch, tmp_path, wheel_in(index, files={"token.py": "", **metadata}))

    folder = stage(tmp_path / "build", wheels=tmp_path / "fetched")

    assert (folder / "python" / "token.py").exists()


@pytest.mark.usefixtures("index")
def test_refusal_is_one_sentence_when_there_is_no_index(tmp_path: Path) -> None:
    """It says what is needed, why it is not there, and what to do; nothing half done is left."""
    with pytest.raises(DependencyError) as caught:
        stage(tmp_path / "build", wheels=tmp_path / "wheels")

    assert re.fullmatch(
        r"auth=jwt needs the wheels of requirements-jwt-layer.txt, and they could not be fetched "
        r"\(No matching distribution found for PyJWT==[\d.]+.*\): try again, or `make setup`, once "
        r"the package index is reachable; the other modes need no network here",
        str(caught.value),
    )
    assert not (tmp_path / "build").exists()


def test_refusal_names_pip_when_there_is_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Environments of uv have no pip."""
    monkeypatch.setattr(jwt_layer, "find_spec", lambda _: None)

    with pytest.raises(DependencyError, match=r"has no pip to fetch them with: type `make setup`"):
        stage(tmp_path / "build", wheels=tmp_path / "wheels")


def test_refusal_says_so_when_pip_takes_too_long(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """An index that answers a byte now and then does not hold a deploy for ever."""

    def run(command: list[str], **_: object) -> None:
        raise subprocess.TimeoutExpired(command, 300)

    monkeypatch.setattr("stacks.parts.jwt_layer.subprocess.run", run)

    with pytest.raises(DependencyError, match=r"could not be fetched \(pip took more than 300 s\)"):
        stage(tmp_path / "build", wheels=tmp_path / "wheels")


def test_local_run_uses_the_packages_of_this_environment() -> None:
    """There the functions run under this very Python."""
    settings = DeploySettings.from_context({**JWT, **LOCAL})

    assert jwt_layers(cdk.Stack(), settings) == []


def test_local_run_says_what_to_install_when_pyjwt_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else every client would be refused, and the reason stand in a log."""
    monkeypatch.setattr(jwt_layer, "find_spec", lambda name: None if name == "jwt" else name)

    with pytest.raises(DependencyError) as caught:
        jwt_layers(cdk.Stack(), DeploySettings.from_context({**JWT, **LOCAL}))

    assert str(caught.value) == (
        f"auth=jwt on the local AWS needs PyJWT and cryptography in {sys.executable}, and jwt "
        f"cannot be imported there: type `make setup`, or `{sys.executable} -m pip install -r "
        "requirements-dev.txt`"
    )


@pytest.mark.parametrize("auth", ["open", "iam", "ticket"])
def test_other_modes_have_no_such_layer(monkeypatch: pytest.MonkeyPatch, auth: str) -> None:
    """They need neither the wheels nor a network."""

    def refuse(*_: object, **__: object) -> Path:
        raise AssertionError("nothing is staged")

    monkeypatch.setattr(jwt_layer, "stage", refuse)

    assert jwt_layers(cdk.Stack(), DeploySettings(auth=auth)) == []


def test_pins_are_what_the_tests_run_with() -> None:
    """Each has an exact version, the one of constraints.txt, and a hash: pip refuses others."""
    lines = [line for line in PINS.splitlines() if not line.startswith("#")]
    constraints = (ROOT / "constraints.txt").read_text().splitlines()

    pinned = [line.split(" --hash=sha256:") for line in lines]

    assert [name for name, _ in pinned if name not in constraints] == []
    assert list(read_pins(PINS)) == [digest for _, digest in pinned]
    assert len(pinned) == 4


def test_makefile_fetches_what_the_stack_does() -> None:
    """For the same machine, into the folder where the stack looks."""
    makefile = (ROOT / "Makefile").read_text().replace(" \\\n", " ")
    (line,) = (one for one in makefile.splitlines() if " pip download " in one)

    assert " ".join(FOR_LAMBDA) in re.sub(r"\s+", " ", line)
    assert "--require-hashes" in line
    assert "--dest build/jwt-wheels" in line
    assert jwt_layer._WHEELS == ROOT / "build" / "jwt-wheels"
