"""The statements that the operator's guide has for commands about connections: enough, and needed.

On a local AWS that verifies signatures and enforces policies. It knows no leading keys of rows, so
the condition of the last statement is not proved here.
"""

import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import boto3
import pytest
from typer.testing import CliRunner, Result

from broadcasting.connection import Connection
from broadcasting.connection_row import connection_item
from broadcasting.door_rows import denied_key
from crier import cli, options
from crier.commands import kick
from crier.deployed.connections_api import NO_CONNECTION
from crier.deployed.deployment import find
from crier.local.local_aws import ACCOUNT, REGION, LocalAws
from crier.paths import ROOT

GUIDE = (ROOT / "docs" / "operator" / "deploy.md").read_text()
STACK, TABLE, STAGE = "guarded", "guarded-connections", "prod"
GONE = NO_CONNECTION
"""A connection that has rows only: it is gone already."""

Run = Callable[..., Result]


class Guarded:
    """A local AWS with what the commands need: a stack's outputs, its table, its API."""

    def __init__(self, aws: LocalAws) -> None:
        self.url = aws.endpoint.url
        session = boto3.Session("test", "test", region_name=REGION)
        self.client = cache(lambda service: session.client(service, endpoint_url=self.url))
        gateway = self.client("apigatewayv2")
        self.api_id = gateway.create_api(
            Name=STACK, ProtocolType="WEBSOCKET", RouteSelectionExpression="$request.body.action"
        )["ApiId"]
        gateway.create_stage(ApiId=self.api_id, StageName=STAGE, AutoDeploy=True)
        self._make_table()
        self.client("cloudformation").create_stack(
            StackName=STACK, TemplateBody=json.dumps(self._template())
        )

    def policy(self) -> dict[str, Any]:
        """Return the guide's policy, with its placeholders filled in."""
        section = GUIDE.split("## Permissions\n")[1].split("\n## ")[0]
        (block,) = re.findall(r"```json\n(.*?)```", section, re.DOTALL)
        names = {"REGION": REGION, "ACCOUNT_ID": ACCOUNT, "API_ID": self.api_id, "STAGE": STAGE}
        for name, value in {**names, "STACK": STACK, "CONNECTIONS_TABLE": TABLE}.items():
            block = re.sub(rf"\b{name}\b", value, block)
        found: dict[str, Any] = json.loads(block)
        return found

    def session_of(self, name: str, policy: dict[str, Any]) -> boto3.Session:
        """Return a session of a new user who may do what a policy allows."""
        iam = self.client("iam")
        iam.create_user(UserName=name)
        iam.put_user_policy(UserName=name, PolicyName="it", PolicyDocument=json.dumps(policy))
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return boto3.Session(key["AccessKeyId"], key["SecretAccessKey"], region_name=REGION)

    def write_rows(self) -> None:
        """Write the row of the connection that is gone already."""
        item: Any = connection_item(Connection(GONE, 1))
        item["expiresAt"] = {"N": "99999999999"}
        self.client("dynamodb").put_item(TableName=TABLE, Item=item)

    def rows_left(self) -> list[tuple[str, str]]:
        """Return the keys of all rows."""
        items = self.client("dynamodb").scan(TableName=TABLE)["Items"]
        return [(one["pk"]["S"], one["sk"]["S"]) for one in items]

    def _make_table(self) -> None:
        self.client("dynamodb").create_table(
            TableName=TABLE,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[
                {"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")
            ],
        )

    def _template(self) -> dict[str, Any]:
        """Return a stack that has the outputs of ours, and no part of it."""
        api = f"{self.url}/_aws/execute-api/{self.api_id}/{STAGE}"
        queues = ("Broadcast", "DeadLetter", "Slice", "SliceDeadLetter")
        outputs = {
            **{f"{one}QueueUrl": f"{self.url}/{ACCOUNT}/{one}" for one in queues},
            "WebSocketUrl": api.replace("http", "ws", 1),
            "CallbackUrl": api,
            "LedgerTableName": "ledger",
            "ConnectionsTableName": TABLE,
            "Auth": "ticket",
            "DenyList": "true",
        }
        return {
            "Resources": {"Nothing": {"Type": "AWS::CloudFormation::WaitConditionHandle"}},
            "Outputs": {name: {"Value": value} for name, value in outputs.items()},
        }


@pytest.fixture(scope="module")
def aws() -> Iterator[Guarded]:
    """A local AWS that enforces policies, for this file alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUTH", "true")
        with LocalAws() as local_aws:
            yield Guarded(local_aws)


@pytest.fixture(scope="session")
def deployment() -> None:
    """Deploy no app: this file needs none."""


@pytest.fixture(autouse=True)
def nothing_left(aws: Guarded) -> Iterator[None]:
    """Leave no row of one test to the next one."""
    yield
    for pk, sk in aws.rows_left():
        aws.client("dynamodb").delete_item(TableName=TABLE, Key={"pk": {"S": pk}, "sk": {"S": sk}})


@pytest.fixture
def run(aws: Guarded, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command as a new user, who may do what a policy allows.

    `kick` waits for no client: none comes.
    """
    monkeypatch.setattr(kick, "ARRIVAL_SECONDS", 0.1)
    runner = CliRunner(env={"COLUMNS": "200"})

    def one(name: str, policy: dict[str, Any], *arguments: str) -> Result:
        session = aws.session_of(name, policy)
        monkeypatch.setattr(options, "find_deployed", lambda *_: find(STACK, session, aws.url))
        return runner.invoke(cli.app, [arguments[0], "--stack", STACK, *arguments[1:]])

    return one


LIST, LIST_OF_USER = ("connections",), ("connections", "--user", "alice")
LIST_OF_CHANNEL = ("connections", "--channel", "news")
INSPECT, KICK = ("inspect", GONE), ("kick", GONE)
KICK_USER, DENY = ("kick", "--user", "alice"), ("kick", "--user", "alice", "--deny", "60")
TICKET = ("ticket", "--user", "alice")


@pytest.mark.parametrize(
    "command", [LIST, LIST_OF_USER, LIST_OF_CHANNEL, KICK, KICK_USER, DENY, TICKET]
)
def test_statements_are_enough(aws: Guarded, run: Run, command: tuple[str, ...]) -> None:
    """Each command does what it is for."""
    aws.write_rows()

    done = run(f"enough-{'-'.join(command).strip('=')}".replace("--", "-"), aws.policy(), *command)

    assert done.exit_code == 0, done.exception or done.output


def test_statements_are_enough_to_inspect(aws: Guarded, run: Run) -> None:
    """That a connection is gone is an answer."""
    done = run("enough-inspect", aws.policy(), *INSPECT)

    assert done.exit_code == 1
    assert "is gone: it is closed, or was never open" in str(done.exception)


@pytest.mark.parametrize(
    ("permission", "command", "words"),
    [
        ("cloudformation:DescribeStacks", LIST, "cannot find the stack guarded"),
        ("GET/@connections", INSPECT, "was not inspected: 403"),
        ("POST/@connections", KICK, "these credentials may not POST to @connections"),
        ("POST/@connections", DENY, "these credentials may not POST to @connections"),
        ("DELETE/@connections", KICK, "these credentials may not DELETE to @connections"),
        ("DELETE/@connections", DENY, "these credentials may not DELETE to @connections"),
        ("dynamodb:Query", LIST, "Query operation"),
        ("dynamodb:Query", LIST_OF_USER, "Query operation"),
        ("dynamodb:Query", LIST_OF_CHANNEL, "Query operation"),
        ("dynamodb:Query", KICK_USER, "Query operation"),
        ("dynamodb:Query", DENY, "Query operation"),
        ("dynamodb:BatchGetItem", LIST, "BatchGetItem operation"),
        ("dynamodb:BatchGetItem", INSPECT, "BatchGetItem operation"),
        ("dynamodb:BatchGetItem", KICK, "BatchGetItem operation"),
        ("dynamodb:BatchGetItem", KICK_USER, "BatchGetItem operation"),
        ("dynamodb:BatchWriteItem", KICK, "BatchWriteItem operation"),
        ("dynamodb:BatchWriteItem", DENY, "BatchWriteItem operation"),
        ("dynamodb:PutItem", DENY, "PutItem operation"),
        ("dynamodb:PutItem", TICKET, "PutItem operation"),
    ],
)
def test_each_permission_is_needed(
    aws: Guarded, run: Run, permission: str, command: tuple[str, ...], words: str
) -> None:
    """Without it the command says what is missing, and nothing is half done."""
    aws.write_rows()
    name = re.sub(r"[^A-Za-z]+", "-", f"lacks {permission} for {' '.join(command)}").strip("-")

    done = run(name, _without(aws.policy(), permission), *command)

    assert done.exit_code == 1
    assert words in str(done.exception)
    assert denied_key("alice") not in aws.rows_left()
    assert len(aws.rows_left()) == 1


def _without(policy: dict[str, Any], permission: str) -> dict[str, Any]:
    """Return a policy without one action, or without the resources of one method."""
    statements = []
    for one in policy["Statement"]:
        kept = {
            part: [value for value in _listed(one[part]) if permission not in value]
            for part in ("Action", "Resource")
        }
        if all(kept.values()):
            statements.append({**one, **kept})
    changed = {**policy, "Statement": statements}
    assert changed != policy
    return changed


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
