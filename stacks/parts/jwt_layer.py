"""What verifies tokens, as a layer: compiled code for Lambda's arm64, which no other mode needs.

The wheels are pinned by their hashes in requirements-jwt-layer.txt. `make setup` fetches them;
without it the first synth with auth=jwt does, which needs the package index that once.
"""

import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZipFile

from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from stacks.parts.dependencies import DependencyError
from stacks.settings import DeploySettings

_ROOT = Path(__file__).parents[2]
_PINS = _ROOT / "requirements-jwt-layer.txt"
_WHEELS = _ROOT / "build" / "jwt-wheels"
_STAGED = _ROOT / "build" / "jwt-layer"
_FETCH_SECONDS = 300
_HOST_NEEDS = ("jwt", "cryptography")

FOR_LAMBDA = (
    *("--platform", "manylinux2014_aarch64", "--implementation", "cp"),
    *("--python-version", "3.13", "--only-binary", ":all:"),
)
"""What pip is told of the functions' machine, here and in the Makefile."""


def jwt_layers(scope: Construct, settings: DeploySettings) -> list[lambda_.ILayerVersion]:
    """Return the layer where the mode needs it. Raises DependencyError.

    The local run has none: its functions run in this very environment, which then has the
    libraries itself.
    """
    if settings.auth != "jwt":
        return []
    if settings.local_callback_base:
        _refuse_missing_on_host()
        return []
    layer = lambda_.LayerVersion(
        scope,
        "JwtLayer",
        code=lambda_.Code.from_asset(str(stage(_STAGED, wheels=_WHEELS))),
        compatible_architectures=[lambda_.Architecture.ARM_64],
        compatible_runtimes=[lambda_.Runtime.PYTHON_3_13],
        description="What Crier's authorizer verifies tokens with",
    )
    return [layer]


def stage(folder: Path, *, wheels: Path) -> Path:
    """Return a folder inside `folder` with what is in the wheels, as a layer has it.

    It is named after the wheels in it, and made once, like the one of the other libraries.
    Wheels that are not in `wheels` are fetched. Raises DependencyError.
    """
    pins = read_pins(_PINS.read_text(encoding="utf-8"))
    target = folder / _name_of(pins)
    if target.exists():
        return target
    if not _found(wheels, pins):
        _fetch(wheels)
    found = _found(wheels, pins)
    if not found:
        raise DependencyError(
            f"{wheels} does not have the wheels of {_PINS.name}, also after pip has fetched them: "
            "delete that folder and try again"
        )
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder) as temporary:
        staged = Path(temporary) / "staged"
        for wheel in found:
            _unpack(wheel, staged / "python")
        if not target.exists():
            staged.rename(target)
    return target


def read_pins(text: str) -> dict[str, str]:
    """Return the packages of a file of requirements as `name-version`, by their SHA-256."""
    lines = re.findall(r"^([\w.-]+)==(\S+) --hash=sha256:([0-9a-f]{64})$", text, re.MULTILINE)
    return {digest: f"{name}-{version}" for name, version, digest in lines}


def _name_of(pins: Mapping[str, str]) -> str:
    """Return a name for the versions and the bytes: a version may be built anew."""
    digest = hashlib.sha256("".join(pins).encode()).hexdigest()
    return "-".join((*pins.values(), digest[:8]))


def _found(wheels: Path, pins: Mapping[str, str]) -> list[Path]:
    """Return the pinned wheels of a folder, nothing unless it has each of them."""
    by_digest = {
        hashlib.sha256(path.read_bytes()).hexdigest(): path for path in wheels.glob("*.whl")
    }
    return [by_digest[one] for one in pins] if pins.keys() <= by_digest.keys() else []


def _fetch(wheels: Path) -> None:
    """Fetch the wheels with pip, which refuses other bytes than the pinned ones."""
    if not find_spec("pip"):
        raise DependencyError(
            f"auth=jwt needs the wheels of {_PINS.name} in {wheels}, and {sys.executable} has no "
            "pip to fetch them with: type `make setup`, or install pip in this environment"
        )
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--require-hashes", "--retries", "1", "--timeout", "10"]
    command += [*FOR_LAMBDA, "--dest", str(wheels), "--requirement", str(_PINS)]
    environment = {**os.environ, "PIP_NO_INPUT": "1"}
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            check=False,
            env=environment,
            text=True,
            timeout=_FETCH_SECONDS,
        )
        said = done.stderr if done.returncode else ""
    except subprocess.TimeoutExpired:
        said = f"pip took more than {_FETCH_SECONDS} s"
    if said:
        raise DependencyError(
            f"auth=jwt needs the wheels of {_PINS.name}, and they could not be fetched "
            f"({_reason(said)}): try again, or `make setup`, once the package index is reachable; "
            "the other modes need no network here"
        )


def _reason(said: str) -> str:
    """Return pip's own last error."""
    errors = [line for line in said.splitlines() if line.startswith("ERROR: ")]
    return (errors or said.splitlines() or [""])[-1].removeprefix("ERROR: ").strip().rstrip(".")


def _unpack(wheel: Path, target: Path) -> None:
    """Write a wheel's modules, readable for all: Lambda runs functions as another user."""
    with ZipFile(wheel) as archive:
        for name in sorted(archive.namelist()):
            if name.endswith("/") or name.partition("/")[0].endswith(".dist-info"):
                continue
            file = target / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(archive.read(name))
            file.chmod(0o644)


def _refuse_missing_on_host() -> None:
    """Say what to install where the functions run in this environment."""
    missing = [name for name in _HOST_NEEDS if not find_spec(name)]
    if missing:
        raise DependencyError(
            f"auth=jwt on the local AWS needs PyJWT and cryptography in {sys.executable}, and "
            f"{' and '.join(missing)} cannot be imported there: type `make setup`, or "
            f"`{sys.executable} -m pip install -r requirements-dev.txt`"
        )
