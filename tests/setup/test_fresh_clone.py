"""Setting the project up in the words of its README, in a fresh clone, without the network.

The libraries are those that are installed here already: a file in the new environment leads to
them, and a link to the CDK CLI.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

from stacks.parts.dependencies import _needed
from tests.page_blocks import blocks_of

ROOT = Path(__file__).parents[2]
SITE = sysconfig.get_path("purelib")
TEMPLATE = "crier-dev.template.json"
Shell = Callable[..., "subprocess.CompletedProcess[str]"]

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """Return a folder with the programs of a newcomer's machine: Python and Node."""
    folder = tmp_path / "programs"
    folder.mkdir()
    here = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for name in ("node", "npx"):
        (folder / name).symlink_to(shutil.which(name, path=here) or "")
    python = folder / "python3"
    python.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
    python.chmod(0o700)
    return folder


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """Return a folder with what a fresh clone has, at a path with a space."""
    folder = tmp_path / "a clone"
    listed = [
        "git",
        "-C",
        str(ROOT),
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ]
    names = subprocess.run(listed, capture_output=True, check=True, text=True).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


@pytest.fixture
def shell(tmp_path: Path, clone: Path, programs: Path) -> Shell:
    """Return what runs a script in the clone, on a machine that reaches nothing and nobody."""
    home = tmp_path / "home"
    home.mkdir()
    (home / ".cdk.json").write_text('{"notices": false}')
    nowhere = "http://127.0.0.1:9"
    environment = {
        "AWS_EC2_METADATA_DISABLED": "true",
        "CDK_DISABLE_CLI_TELEMETRY": "true",
        "HOME": str(home),
        "HTTPS_PROXY": nowhere,
        "HTTP_PROXY": nowhere,
        "PATH": f"{programs}{os.pathsep}{os.defpath}",
        "npm_config_offline": "true",
    }

    def run(script: str, folder: Path = clone) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["/bin/sh", "-e", "-c", script],
            capture_output=True,
            check=False,
            cwd=folder,
            env=environment,
            text=True,
            timeout=300,
        )

    return run


def usual_way() -> str:
    """Return the README's commands for any environment."""
    readme = (ROOT / "README.md").read_text()
    return readme.split("### Without make\n")[1].split("```sh\n")[1].split("```")[0]


def required_by(file: str) -> tuple[str, ...]:
    """Return the packages that a file of requirements names."""
    return tuple(re.findall(r"^([a-z0-9-]+)==", (ROOT / file).read_text(), re.MULTILINE))


def without_network(commands: str, *, has_libraries: bool = True) -> str:
    """Return the commands with what is here in place of what they would download."""
    found = """$(python3 -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"""
    stand_ins = {
        "venv venv": "venv 'my env'",
        ". venv/": ". 'my env'/",
        "pip install -r requirements.txt": (
            f'echo {shlex.quote(SITE)} > "{found}/here.pth"' if has_libraries else "true"
        ),
        "npm install": f"ln -s {shlex.quote(str(ROOT / 'node_modules'))} .",
    }
    for command, stand_in in stand_ins.items():
        assert commands.count(command) == 1, command
        commands = commands.replace(command, stand_in)
    return commands


def test_readmes_usual_way_synthesizes_in_an_environment_of_another_name(
    clone: Path, tmp_path: Path, shell: Shell
) -> None:
    """The app is found by the Python that is active, and makes the same from another folder."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    cdk, app = (shlex.quote(str(clone / name)) for name in ("node_modules/.bin/cdk", "app.py"))

    done = shell(without_network(usual_way()))
    again = shell(
        f". {shlex.quote(str(clone / 'my env'))}/bin/activate; "
        f"{cdk} synth --quiet --app {shlex.quote(f'python3 {app}')}",
        elsewhere,
    )

    assert (done.returncode, again.returncode) == (0, 0), done.stderr + again.stderr
    assert "AWS::ApiGatewayV2::Api" in done.stdout
    template = (clone / "cdk.out" / TEMPLATE).read_text()
    assert (elsewhere / "cdk.out" / TEMPLATE).read_text() == template
    assert not (clone / ".venv").exists()


def test_usual_way_says_what_to_install_when_a_library_is_missing(
    clone: Path, shell: Shell
) -> None:
    """One sentence: what is missing, in which Python, and what to type; no traceback."""
    commands = without_network(usual_way(), has_libraries=False)
    python = clone / "my env" / "bin" / "python3"

    synth = shell(commands)
    line = shell(". 'my env'/bin/activate; python -m crier send hello")

    for done, library in ((synth, "aws_cdk"), (line, "typer")):
        assert done.returncode == 1
        assert done.stderr.startswith(f"Error: {library} is not installed in {python.parent}/")
        assert f"-m pip install -r '{clone}/requirements.txt'`\n" in done.stderr
        assert "Traceback" not in done.stderr


def test_command_line_says_what_to_install_for_the_local_aws(clone: Path, shell: Shell) -> None:
    """With requirements.txt alone it works, but for the commands that need a local AWS."""
    shell("python3 -m venv --without-pip 'my env'")
    site = next((clone / "my env").glob("lib/*/site-packages"))
    for package in _needed(required_by("requirements.txt")):
        for name in {file.parts[0] for file in package.files or ()} - {"..", "__pycache__"}:
            (site / name).unlink(missing_ok=True)
            (site / name).symlink_to(str(package.locate_file(name)))

    send, local, demo = (
        shell(f". 'my env'/bin/activate; python -m crier {command}")
        for command in ("send hello", "local", "demo")
    )

    assert send.stderr.startswith("Error: no local run is there")
    for done in (local, demo):
        assert done.returncode == 1
        assert done.stderr.startswith("Error: ministack is not installed in ")
        assert f" -r '{clone}/requirements-dev.txt'`\n" in done.stderr


@pytest.fixture
def set_up(clone: Path, programs: Path) -> Path:
    """Return a clone in which `make setup` has run; the machine's own Python is another one."""
    venv.create(clone / ".venv", with_pip=False, symlinks=True)
    site = next((clone / ".venv").glob("lib/*/site-packages"))
    (site / "here.pth").write_text(f"{SITE}\n")
    (clone / ".venv" / "bin" / "node").symlink_to(programs / "node")
    (clone / "node_modules").mkdir()
    (clone / "node_modules" / "aws-cdk").symlink_to(ROOT / "node_modules" / "aws-cdk")
    for folder in (".venv", "node_modules"):
        (clone / folder / ".ready").touch()
    (programs / "python3").write_text("#!/bin/sh\necho the wrong Python\nexit 9\n")
    return clone


def test_make_uses_its_own_environment_when_another_is_active(set_up: Path, shell: Shell) -> None:
    """Its Python comes before whatever python3 is on the PATH."""
    done = shell("make synth")

    assert done.returncode == 0, done.stdout + done.stderr
    assert (set_up / "cdk.out" / TEMPLATE).exists()


def test_page_of_the_first_hour_leads_the_cdk_to_its_python(set_up: Path, shell: Shell) -> None:
    """Also after the line for `make aws-cli`, whose environment has a python3 of its own."""
    venv.create(set_up / ".venv-aws-cli", with_pip=False, symlinks=True)
    commands = "".join(block.code for block in blocks_of(set_up / "docs" / "first-hour.md"))
    lines = re.findall(r"^export PATH=.*\n", commands, re.MULTILINE)
    cdk = ".venv/bin/node node_modules/aws-cdk/bin/cdk"

    done = shell(f"{''.join(lines)}{cdk} synth --quiet")

    assert len(lines) == 2
    assert f"\n{cdk} bootstrap\n" in commands
    assert commands.index(lines[1]) < commands.index(f"{cdk} bootstrap")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (set_up / "cdk.out" / TEMPLATE).exists()


def test_local_run_is_of_dev_when_the_project_is_set_to_prod(set_up: Path, shell: Shell) -> None:
    """The context that it gives to the CDK comes before that of cdk.json."""
    project = set_up / "cdk.json"
    project.write_text(project.read_text().replace('"context": {', '"context": {"stage": "prod",'))
    base = "http://127.0.0.1:4566/_aws/execute-api"

    done = shell(
        'export PATH="$PWD/.venv/bin:$PATH"; .venv/bin/node node_modules/aws-cdk/bin/cdk '
        f"synth --quiet -c stage=dev -c localCallbackBase={base}"
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert (set_up / "cdk.out" / TEMPLATE).exists()
