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
import tomllib
import venv
from collections.abc import Callable
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import crier
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
    """Return what runs a script in the clone, on a machine that reaches no other."""
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
    """Return the documents' commands for any environment."""
    page = (ROOT / "docs" / "operator" / "set-up.md").read_text()
    return page.split("## Without make\n")[1].split("```sh\n")[1].split("```")[0]


def required_by(file: str) -> tuple[str, ...]:
    """Return the packages that a file of requirements names."""
    return tuple(re.findall(r"^([a-z0-9-]+)==", (ROOT / file).read_text(), re.MULTILINE))


def without_network(commands: str, *, has_libraries: bool = True) -> str:
    """Return the commands with what is here in place of what they would download."""
    found = """$(python3 -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"""
    stand_ins = {
        "venv venv": "venv 'my env'",
        r"\. venv/": ". 'my env'/",
        r"pip install -r requirements.txt(?: -e \.)?": (
            f'echo {shlex.quote(SITE)} > "{found}/here.pth"' if has_libraries else "true"
        ),
        "npm install": f"ln -s {shlex.quote(str(ROOT / 'node_modules'))} .",
    }
    for command, stand_in in stand_ins.items():
        commands, count = re.subn(command, stand_in.replace("\\", r"\\"), commands)
        assert count == 1, command
    return commands


def link_libraries(environment: Path, names: tuple[str, ...]) -> None:
    """Let an environment have some packages, with all that they need, and no others."""
    site = next(environment.glob("lib/*/site-packages"))
    for package in _needed(names):
        for name in {file.parts[0] for file in package.files or ()} - {"..", "__pycache__"}:
            (site / name).unlink(missing_ok=True)
            (site / name).symlink_to(str(package.locate_file(name)))


def install(clone: Path, environment: Path, *, hook: str) -> None:
    """Install crier from a clone into an environment, with pip and hatchling of this one.

    `hook` is the one that pip calls of the backend: `build_wheel`, or `build_editable`.
    """
    wheels = environment / "wheels"
    wheels.mkdir()
    program = f"import sys, hatchling.build as backend; backend.{hook}(sys.argv[1])"
    subprocess.run([sys.executable, "-c", program, str(wheels)], check=True, cwd=clone)
    pip = [sys.executable, "-m", "pip", "--python", str(environment / "bin" / "python")]
    options = ["--quiet", "--disable-pip-version-check", "--no-index", "--no-deps"]
    subprocess.run([*pip, "install", *options, *wheels.glob("*.whl")], check=True)


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
    link_libraries(clone / "my env", required_by("requirements.txt"))
    no_rules = shell(". 'my env'/bin/activate; python -m crier send hello")
    install(clone, clone / "my env", hook="build_editable")

    send, local, demo = (
        shell(f". 'my env'/bin/activate; crier {command}")
        for command in ("send hello", "local", "demo")
    )

    assert no_rules.stderr.startswith("Error: crier is not installed in ")
    assert no_rules.stderr.endswith(f" -e '{clone}'`\n")
    assert send.stderr.startswith("Error: no local run is there: start one with `crier local`")
    for done in (local, demo):
        assert done.returncode == 1
        assert done.stderr.startswith("Error: ministack is not installed in ")
        assert f" -r '{clone}/requirements-dev.txt'`\n" in done.stderr


def test_crier_that_is_installed_alone_has_the_commands_for_a_deployed_stack(
    clone: Path, tmp_path: Path, shell: Shell
) -> None:
    """It works from any folder, with what it says that it needs; it has no app to deploy."""
    project = tomllib.loads((clone / "pyproject.toml").read_text())["project"]
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shell("python3 -m venv --without-pip 'my env'", elsewhere)
    link_libraries(
        elsewhere / "my env",
        tuple(Requirement(one).name for one in project["dependencies"]),
    )
    install(clone, elsewhere / "my env", hook="build_wheel")

    version, usage, send, rejected, probe, local, demo = (
        shell(f". 'my env'/bin/activate; crier {command}", elsewhere)
        for command in (
            *("--version", "send --help", "send hello", "send --id= x"),
            *("probe http://127.0.0.1:9/prod --region r", "local", "demo"),
        )
    )

    assert version.stdout == f"crier {crier.__version__}\n"
    assert "Usage: crier send" in usage.stdout
    assert send.stderr == "Error: no local run is there: name a deployed stack with --stack\n"
    assert "id: expected a string" in rejected.stderr
    assert probe.stderr.startswith("Error: no credentials to sign with: set AWS_PROFILE")
    for done, command in ((local, "local"), (demo, "demo")):
        assert done.returncode == 1
        assert done.stderr.startswith(f"Error: `crier {command}` deploys the app, which this ")
        assert done.stderr.endswith(f" type `make {command}` there\n")


def test_make_carries_on_without_the_authorizers_libraries(set_up: Path, shell: Shell) -> None:
    """One mode needs them, and fetches them again; the others need no network."""
    (set_up / "build" / "jwt-wheels" / ".ready").unlink()

    done = shell("make synth")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "Fetching the authorizer's libraries, for Lambda …\nNote: they" in done.stdout
    assert (set_up / "cdk.out" / TEMPLATE).exists()
    assert not (set_up / "build" / "jwt-wheels" / ".ready").exists()


def test_make_setup_installs_the_command(clone: Path, programs: Path, shell: Shell) -> None:
    """After the libraries, from this very folder: what is changed there is changed at once."""
    venv.create(clone / ".venv", with_pip=True, symlinks=True)
    site = next((clone / ".venv").glob("lib/*/site-packages"))
    (site / "here.pth").write_text(f"{SITE}\n")
    (clone / ".venv" / "bin" / "node").symlink_to(programs / "node")
    for folder in ("node_modules", "build/jwt-wheels"):
        (clone / folder).mkdir(parents=True)
    for stamp in (".venv/.ready", "node_modules/.ready", "build/jwt-wheels/.ready"):
        (clone / stamp).touch()

    done = shell("make setup")
    (clone / "crier" / "__init__.py").write_text('__version__ = "changed"\n')
    version = shell(".venv/bin/crier --version")

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert version.stdout == "crier changed\n"


@pytest.fixture
def set_up(clone: Path, programs: Path) -> Path:
    """Return a clone in which `make setup` has run; the machine's own Python is another one."""
    venv.create(clone / ".venv", with_pip=False, symlinks=True)
    site = next((clone / ".venv").glob("lib/*/site-packages"))
    (site / "here.pth").write_text(f"{SITE}\n")
    (clone / ".venv" / "bin" / "node").symlink_to(programs / "node")
    (clone / "node_modules").mkdir()
    (clone / "node_modules" / "aws-cdk").symlink_to(ROOT / "node_modules" / "aws-cdk")
    (clone / "build" / "jwt-wheels").mkdir(parents=True)
    stamps = (".venv/.ready", ".venv/.crier", "node_modules/.ready", "build/jwt-wheels/.ready")
    for stamp in stamps:
        (clone / stamp).touch()
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
    commands = "".join(
        block.code for block in blocks_of(set_up / "docs" / "operator" / "first-hour.md")
    )
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
