"""A deployed stack, found by its name: where its parts are, and the session to use them with."""

import os
import re
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
)

from crier.errors import CrierError

_CONFIG = Config(connect_timeout=5)
"""boto3 tries five times to connect, for a minute each unless told otherwise, and says nothing."""

_OUTPUTS = {
    "WebSocketUrl": None,
    "BroadcastQueueUrl": "QueueUrl",
    "DeadLetterQueueUrl": None,
    "SliceQueueUrl": None,
    "SliceDeadLetterQueueUrl": None,
    "LedgerTableName": "BroadcastsTableName",
    "ConnectionsTableName": "TableName",
    "CallbackUrl": None,
}
"""The outputs of a stack, in the order of a deployment's fields, with their earlier names.

A stack that an earlier release deployed has the earlier ones.
"""

_OPEN = "open"
"""How clients were let in by every stack that has no output `Auth`."""

_ONE_TRY = Config(connect_timeout=5, read_timeout=10, retries={"total_max_attempts": 1})


@dataclass(frozen=True, slots=True)
class Deployment:
    """Where the parts of a stack are, as its outputs say, and the session to use them with.

    `endpoint_url` is that of a local AWS, None for a stack in an AWS account. `auth` says how
    clients are let in (open, iam, jwt or ticket), `deny_list` whether rows keep users out.
    """

    stack: str
    session: boto3.Session
    endpoint_url: str | None
    web_socket_url: str
    broadcast_queue_url: str
    dead_letter_queue_url: str
    slice_queue_url: str
    slice_dead_letter_queue_url: str
    ledger_table_name: str
    connections_table_name: str
    callback_url: str
    _: KW_ONLY
    auth: str = _OPEN
    deny_list: bool = False

    def client(self, service: Any) -> Any:
        """Return a boto3 client of a service, for the place where the stack is."""
        return self.session.client(service, endpoint_url=self.endpoint_url, config=_CONFIG)

    def callback_client(self) -> Any:
        """Return a boto3 client of `@connections`, which sends each request once."""
        return self.session.client(
            "apigatewaymanagementapi", endpoint_url=self.callback_url, config=_ONE_TRY
        )

    def function_name(self, id_: str) -> str:
        """Return the name of a function, by the id that it has in the stack's code.

        The CDK makes a logical id of it by adding eight hexadecimal digits. Raises CrierError when
        the stack has no such function.
        """
        logical_id = re.compile(rf"{id_}[0-9A-F]{{8}}")
        pages = self.client("cloudformation").get_paginator("list_stack_resources")
        for page in pages.paginate(StackName=self.stack):
            for resource in page["StackResourceSummaries"]:
                is_function = resource["ResourceType"] == "AWS::Lambda::Function"
                if is_function and logical_id.fullmatch(resource["LogicalResourceId"]):
                    return str(resource["PhysicalResourceId"])
        raise CrierError(f"stack {self.stack} has no function {id_}: deploy it again")


def find_deployed(stack: str, profile: str | None, region: str | None) -> Deployment:
    """Return a stack in an AWS account, in the Region of `open_session`. Raises CrierError."""
    return find(stack, open_session(profile, region))


def open_session(profile: str | None, region: str | None) -> boto3.Session:
    """Return a session with what the user has configured. Raises CrierError.

    Without `region` it has the Region of AWS_REGION, as the CDK does, before those that boto3
    reads.
    """
    try:
        return boto3.Session(
            profile_name=profile, region_name=region or os.environ.get("AWS_REGION") or None
        )
    except BotoCoreError as error:
        raise CrierError(f"{error}; name another with --profile") from error


def find(stack: str, session: boto3.Session, endpoint_url: str | None = None) -> Deployment:
    """Return a stack that a session sees, with `endpoint_url` on a local AWS. Raises CrierError."""
    try:
        client = session.client("cloudformation", endpoint_url=endpoint_url, config=_CONFIG)
        described = client.describe_stacks(StackName=stack)["Stacks"][0]
    except (ClientError, BotoCoreError) as error:
        raise CrierError(
            f"cannot find the stack {stack}: {str(error).rstrip('.')}; "
            f"check --stack, --profile and --region{_cure(error)}"
        ) from error
    outputs = {one["OutputKey"]: one["OutputValue"] for one in described.get("Outputs", [])}
    return Deployment(
        stack,
        session,
        endpoint_url,
        *_values(stack, outputs),
        auth=outputs.get("Auth") or _OPEN,
        deny_list=outputs.get("DenyList") == "true",
    )


def _cure(error: Exception) -> str:
    if isinstance(error, NoCredentialsError):
        return ", or set AWS_PROFILE"
    if isinstance(error, ConnectTimeoutError | EndpointConnectionError):
        return ", and that this machine reaches AWS"
    return ", or set AWS_REGION" if isinstance(error, NoRegionError) else ""


def _values(stack: str, outputs: Mapping[str, str]) -> list[str]:
    """Return the outputs that a deployment has, in its order, by their names or earlier names."""
    values = []
    for name, earlier in _OUTPUTS.items():
        value = outputs.get(name) or outputs.get(earlier or "")
        if value is None:
            raise CrierError(
                f"stack {stack} has no output {name}: if it is a stack of Crier, deploy it again "
                "with this version; if not, check --stack"
            )
        values.append(value)
    return values
