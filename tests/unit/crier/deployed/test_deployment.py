"""Finding a deployed stack: by its outputs, and what its user is told when it is not there."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
from botocore.config import Config

from crier.deployed.deployment import Deployment, find, find_deployed
from crier.errors import CrierError

if TYPE_CHECKING:
    import boto3

OUTPUTS = {
    "WebSocketUrl": "wss://api",
    "BroadcastQueueUrl": "https://sqs/broadcasts",
    "DeadLetterQueueUrl": "https://sqs/dead-broadcasts",
    "SliceQueueUrl": "https://sqs/slices",
    "SliceDeadLetterQueueUrl": "https://sqs/dead-slices",
    "LedgerTableName": "ledger",
    "ConnectionsTableName": "connections",
    "CallbackUrl": "https://api",
}
EARLIER = {
    "BroadcastQueueUrl": "QueueUrl",
    "LedgerTableName": "BroadcastsTableName",
    "ConnectionsTableName": "TableName",
}
"""Which output had which name until version 0.1.0."""


class FakeSession:
    """A session whose CloudFormation knows one stack: its outputs and its functions."""

    def __init__(self, outputs: Mapping[str, str], functions: Mapping[str, str]) -> None:
        self._outputs = outputs
        self._functions = functions

    def client(self, service: str, endpoint_url: str | None, config: Config) -> "FakeSession":
        """Return the client of CloudFormation, which is this very object."""
        assert (service, endpoint_url) == ("cloudformation", "http://here")
        assert vars(config)["connect_timeout"] == 5
        return self

    def describe_stacks(self, *, StackName: str) -> dict[str, Any]:  # noqa: N803
        """Return the stack's outputs."""
        assert StackName == "crier-dev"
        found = [{"OutputKey": key, "OutputValue": one} for key, one in self._outputs.items()]
        return {"Stacks": [{"Outputs": found}]}

    def get_paginator(self, operation: str) -> "FakeSession":
        """Return what pages through the resources, which is this very object."""
        assert operation == "list_stack_resources"
        return self

    def paginate(self, *, StackName: str) -> Iterator[dict[str, Any]]:  # noqa: N803
        """Yield a page for each function."""
        assert StackName == "crier-dev"
        for logical_id, name in self._functions.items():
            kind = "AWS::Lambda::Function"
            found = {
                "LogicalResourceId": logical_id,
                "PhysicalResourceId": name,
                "ResourceType": kind,
            }
            yield {"StackResourceSummaries": [found]}


def found_with(
    outputs: Mapping[str, str], functions: Mapping[str, str] | None = None
) -> Deployment:
    """Return the stack that is found when it has these outputs and these functions."""
    session = cast("boto3.Session", FakeSession(outputs, functions or {}))
    return find("crier-dev", session, "http://here")


def test_deployment_is_read_from_the_outputs() -> None:
    """Each part has its place."""
    found = found_with(OUTPUTS)

    assert found.web_socket_url == "wss://api"
    assert found.broadcast_queue_url == "https://sqs/broadcasts"
    assert found.slice_dead_letter_queue_url == "https://sqs/dead-slices"
    assert found.ledger_table_name == "ledger"
    assert found.connections_table_name == "connections"
    assert found.callback_url == "https://api"


def test_deployment_is_read_from_outputs_of_an_earlier_release() -> None:
    """A stack that was deployed before some outputs got other names is the same deployment."""
    earlier = {EARLIER.get(name, name): value for name, value in OUTPUTS.items()}

    found = found_with(earlier)

    assert set(EARLIER).isdisjoint(earlier)
    assert found.broadcast_queue_url == "https://sqs/broadcasts"
    assert found.ledger_table_name == "ledger"
    assert found.connections_table_name == "connections"


def test_deployment_of_an_earlier_release_lets_all_clients_in() -> None:
    """Before there was an authorizer there were no outputs that tell of one."""
    earlier = found_with(OUTPUTS)
    guarded = found_with({**OUTPUTS, "Auth": "ticket", "DenyList": "true"})
    unlisted = found_with({**OUTPUTS, "Auth": "jwt", "DenyList": "false"})

    assert (earlier.auth, earlier.deny_list) == ("open", False)
    assert (guarded.auth, guarded.deny_list) == ("ticket", True)
    assert (unlisted.auth, unlisted.deny_list) == ("jwt", False)


@pytest.mark.parametrize("name", OUTPUTS)
def test_deployment_names_the_output_that_is_missing(name: str) -> None:
    """Another stack, or one of a version that is too old, is told so."""
    outputs = {key: value for key, value in OUTPUTS.items() if key != name}

    with pytest.raises(CrierError, match=f"stack crier-dev has no output {name}: "):
        found_with(outputs)


def test_function_is_not_found_by_the_beginning_of_its_name() -> None:
    """A function whose name begins like another one's is another function."""
    functions = {"ConnectAuthorizer1A2B3C4D": "authorizer", "Connect5B7EF7A3": "connect"}

    found = found_with(OUTPUTS, functions)

    assert found.function_name("Connect") == "connect"
    with pytest.raises(CrierError, match="has no function Connect5: deploy it again"):
        found.function_name("Connect5")


@pytest.fixture
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing be known of any AWS account: no Region, no credentials, no files."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.mark.usefixtures("account")
def test_deployment_names_the_option_when_the_profile_is_unknown() -> None:
    """A profile that is not there is an error that names it and the option."""
    with pytest.raises(CrierError) as caught:
        find_deployed("crier-prod", "nobody", None)

    assert "nobody" in str(caught.value)
    assert "--profile" in str(caught.value)


@pytest.mark.usefixtures("account")
def test_deployment_names_the_option_when_no_region_is_known() -> None:
    """Without a Region the error says so, and which option names it."""
    with pytest.raises(CrierError) as caught:
        find_deployed("crier-prod", None, None)

    assert "You must specify a region; check" in str(caught.value)
    assert str(caught.value).endswith("--region, or set AWS_REGION")


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize("variable", ["AWS_REGION", "AWS_DEFAULT_REGION"])
def test_deployment_takes_the_region_from_either_variable(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """A Region in either variable suffices: what is missing then is credentials."""
    monkeypatch.setenv(variable, "eu-central-1")

    with pytest.raises(CrierError, match=r"Unable to locate credentials; check .*AWS_PROFILE$"):
        find_deployed("crier-prod", None, None)
