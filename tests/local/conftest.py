"""One local AWS with the app deployed, for all tests of this folder."""

import json
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from crier import cli, options
from crier.commands.invitation import show_invitation
from crier.deployed.deployment import Deployment
from crier.local.deploy import deploy_locally
from crier.local.local_aws import ACCOUNT, REGION, LocalAws, LocalEndpoint
from crier.paths import ROOT
from tests.support.function_logs import Logs


@pytest.fixture(scope="session")
def local_aws() -> Iterator[LocalAws]:
    """A running local AWS on a free loopback port."""
    with LocalAws() as aws:
        yield aws


@pytest.fixture(scope="session")
def deployment(local_aws: LocalAws) -> Deployment:
    """The app, deployed by the real CDK CLI; a topic and a rule may send, both called news."""
    place = f"{REGION}:{ACCOUNT}"
    producers = f"arn:aws:sns:{place}:news,arn:aws:events:{place}:rule/news"
    return deploy_locally(local_aws, lambda _: None, producers=producers)


@pytest.fixture
def logs(local_aws: LocalAws) -> Logs:
    """The functions' lines so far."""
    return Logs(local_aws.logs)


@pytest.fixture(autouse=True)
def nothing_left(deployment: Deployment) -> Iterator[None]:
    """Leave no row and no dead letter of one test to the next one."""
    yield
    for url in (deployment.dead_letter_queue_url, deployment.slice_dead_letter_queue_url):
        deployment.client("sqs").purge_queue(QueueUrl=url)
    client = deployment.client("dynamodb")
    for page in client.get_paginator("scan").paginate(TableName=deployment.connections_table_name):
        for item in page["Items"]:
            key = {name: item[name] for name in ("pk", "sk")}
            client.delete_item(TableName=deployment.connections_table_name, Key=key)


@pytest.fixture
def run_crier(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Runs a command of `crier`, which finds the local AWS of the tests, on a wide screen."""
    endpoint = LocalEndpoint(deployment.endpoint_url or "")
    monkeypatch.setattr(options, "running_endpoint", lambda: endpoint)
    runner = CliRunner(env={"COLUMNS": "200"})
    return lambda *arguments: runner.invoke(cli.app, arguments)


@pytest.fixture
def printed(deployment: Deployment, capsys: pytest.CaptureFixture[str]) -> Mapping[str, str]:
    """What the local run prints at its start: lines by their titles."""
    show_invitation(deployment, users_path=os.defpath)
    lines = capsys.readouterr().out.splitlines()
    return dict(zip(lines[::2], lines[1::2], strict=False))


@pytest.fixture
def bare_environment(tmp_path: Path) -> Mapping[str, str]:
    """The environment of a newcomer: no Region, no credentials, an empty home."""
    return {"HOME": str(tmp_path), "PATH": os.defpath}


@pytest.fixture
def shell(bare_environment: Mapping[str, str]) -> Callable[[str], Any]:
    """Runs a line in the project's folder as a newcomer does, and reads the JSON that it prints."""

    def run(line: str) -> Any:
        done = subprocess.run(
            ["/bin/sh", "-c", line],
            capture_output=True,
            check=False,
            cwd=ROOT,
            env=bare_environment,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout or "{}")

    return run
