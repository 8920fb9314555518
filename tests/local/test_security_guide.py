"""The guide on security, followed on a local AWS: Cognito is an issuer that we did not make."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from crier.deployed.deployment import Deployment
from crier.local.deploy import deploy_locally, find_local
from crier.local.environment import clean_environment
from crier.local.local_aws import LocalAws
from crier.paths import ROOT
from tests.page_blocks import blocks_of

PAGE = ROOT / "docs" / "operator" / "security.md"
HEADING = "Try it with Cognito on the local AWS"

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def local_aws() -> Iterator[LocalAws]:
    """A local AWS for this file alone: it is deployed to with a lock."""
    with LocalAws() as aws:
        yield aws


@pytest.fixture(scope="module")
def deployment(local_aws: LocalAws) -> Deployment:
    """What `crier local` deploys."""
    return deploy_locally(local_aws, lambda _: None)


def test_guide_to_cognito_does_what_it_says(
    local_aws: LocalAws, deployment: Deployment, tmp_path: Path
) -> None:
    """Its commands, pasted one after another, let the token of a user in and no other."""
    blocks = [block for block in blocks_of(PAGE) if block.heading == HEADING]
    commands = "\n".join(block.code for block in blocks).replace("4566", str(local_aws.port))
    environment = {
        **clean_environment(),
        "CDK_DISABLE_CLI_TELEMETRY": "true",
        "CDK_OUTDIR": str(tmp_path),
        "HOME": str(tmp_path),
    }

    done = subprocess.run(
        [
            "/bin/bash",
            "-euo",
            "pipefail",
            "-c",
            commands,
        ],
        capture_output=True,
        check=False,
        cwd=ROOT,
        env=environment,
        text=True,
        timeout=200,
    )

    assert done.returncode == 0, done.stderr
    assert len(blocks) == 4
    assert [block.missing(done.stdout) for block in blocks if block.expected] == [[]]
    assert deployment.web_socket_url == find_local(local_aws.endpoint).web_socket_url
    lines = "".join(path.read_text() for path in local_aws.logs.iterdir())
    assert '"reason":"audience"' in lines
