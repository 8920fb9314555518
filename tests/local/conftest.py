"""One local AWS with the app deployed, for all tests of this folder."""

import json
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from crier.deployment import Deployment, deploy_locally
from crier.local_aws import LocalAws
from crier.project import ROOT
from tests.local.function_logs import Logs


@pytest.fixture(scope="session")
def local_aws() -> Iterator[LocalAws]:
    """A running local AWS on a free loopback port."""
    with LocalAws() as aws:
        yield aws


@pytest.fixture(scope="session")
def deployment(local_aws: LocalAws) -> Deployment:
    """The app, deployed by the real CDK CLI."""
    return deploy_locally(local_aws, lambda _: None)


@pytest.fixture
def logs(local_aws: LocalAws) -> Logs:
    """The functions' lines so far."""
    return Logs(local_aws.logs)


@pytest.fixture(autouse=True)
def no_rows(deployment: Deployment) -> Iterator[None]:
    """Leave no row of one test to the next one."""
    yield
    client = deployment.client("dynamodb")
    for page in client.get_paginator("scan").paginate(TableName=deployment.table_name):
        for item in page["Items"]:
            key = {name: item[name] for name in ("pk", "sk")}
            client.delete_item(TableName=deployment.table_name, Key=key)


@pytest.fixture(scope="session")
def aws_cli(deployment: Deployment) -> Callable[..., Any]:
    """The AWS CLI, as the README has it installed, pointed at the local AWS."""
    endpoint = deployment.endpoint
    assert endpoint is not None

    def run(*arguments: str) -> Any:
        done = subprocess.run(
            [ROOT / ".venv-aws-cli" / "bin" / "aws", "--endpoint-url", endpoint.url, *arguments],
            capture_output=True,
            check=True,
            env=dict(endpoint.environment),
            text=True,
            timeout=60,
        )
        return json.loads(done.stdout)

    return run
