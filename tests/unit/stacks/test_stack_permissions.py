"""What each function may do: exactly this, and no more."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from aws_cdk.assertions import Match, Template

from stacks.settings import DeploySettings

TABLE = {"Fn::GetAtt": ["ConnectionsTable916FDB22", "Arn"]}
LEDGER = {"Fn::GetAtt": ["LedgerTable9343E4AA", "Arn"]}
BROADCASTS = {"Fn::GetAtt": ["BroadcastsQueueA9C09604", "Arn"]}
BROADCASTS_DEAD = {"Fn::GetAtt": ["BroadcastsDeadLettersBCC44E30", "Arn"]}
SLICES = {"Fn::GetAtt": ["SlicesQueue3E684816", "Arn"]}
SLICES_DEAD = {"Fn::GetAtt": ["SlicesDeadLettersAAF284B4", "Arn"]}
POSTS = {
    "Fn::Join": [
        "",
        [
            "arn:",
            {"Ref": "AWS::Partition"},
            ":execute-api:",
            {"Ref": "AWS::Region"},
            ":",
            {"Ref": "AWS::AccountId"},
            ":",
            {"Ref": "WebSocketApi273F6915"},
            "/prod/POST/@connections/*",
        ],
    ]
}
CONSUME = [
    "sqs:ChangeMessageVisibility",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "sqs:GetQueueUrl",
    "sqs:ReceiveMessage",
]
LEDGER_ACTIONS = ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem"]


def allow(action: str | list[str], resource: object) -> dict[str, Any]:
    """Return a statement that allows this."""
    return {"Action": action, "Effect": "Allow", "Resource": resource}


def allow_rows(
    *actions: str,
    rows: tuple[str, ...] = ("all#*", "connection#*", "user#*", "channel#*"),
    table: object = TABLE,
) -> dict[str, Any]:
    """Return the statement that allows this with some rows only: all those of connections."""
    action = list(actions) if len(actions) > 1 else actions[0]
    condition = {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": [*rows]}}
    return {**allow(action, table), "Condition": condition}


def write_logs(log_group: str) -> dict[str, Any]:
    """Return the statement that allows writing to one log group."""
    actions = ["logs:CreateLogStream", "logs:PutLogEvents"]
    return allow(actions, {"Fn::GetAtt": [log_group, "Arn"]})


STATEMENTS = {
    "connect": [
        write_logs("ConnectLogs858FA043"),
        allow_rows("dynamodb:BatchWriteItem", rows=("all#*", "connection#*", "user#*")),
    ],
    "disconnect": [
        write_logs("DisconnectLogs29292A03"),
        allow_rows("dynamodb:BatchWriteItem", "dynamodb:DeleteItem"),
    ],
    "client_frame": [
        write_logs("ClientFrameLogs7ED42515"),
        allow_rows("dynamodb:DeleteItem", "dynamodb:UpdateItem", rows=("connection#*",)),
        allow_rows("dynamodb:BatchWriteItem", rows=("channel#*",)),
        allow_rows("dynamodb:BatchGetItem", rows=("all#*",)),
        allow_rows(
            *("dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:PutItem"),
            *("dynamodb:Query", "dynamodb:UpdateItem"),
            rows=("channel#*",),
            table=LEDGER,
        ),
    ],
    "broadcast": [
        write_logs("BroadcastLogs440835F6"),
        allow_rows("dynamodb:BatchGetItem", "dynamodb:BatchWriteItem", "dynamodb:Query"),
        allow(LEDGER_ACTIONS, LEDGER),
        allow("execute-api:ManageConnections", POSTS),
        allow("sqs:SendMessage", [BROADCASTS_DEAD, SLICES_DEAD, SLICES]),
        allow(CONSUME, [BROADCASTS, SLICES]),
    ],
}


def documents_of(template: Template, module: str) -> list[dict[str, Any]]:
    """Return the documents of all policies that the role of a function has."""
    handler = {"Properties": {"Handler": f"handlers.{module}.handler"}}
    (function,) = template.find_resources("AWS::Lambda::Function", handler).values()
    role = {"Ref": function["Properties"]["Role"]["Fn::GetAtt"][0]}
    policies = template.find_resources("AWS::IAM::Policy", {"Properties": {"Roles": [role]}})
    return [policy["Properties"]["PolicyDocument"] for policy in policies.values()]


@pytest.mark.parametrize("module", STATEMENTS)
def test_function_may_do_exactly_what_it_needs(prod: Template, module: str) -> None:
    """A function's role has these statements, in one policy, and no others."""
    documents = documents_of(prod, module)

    assert documents == [{"Statement": STATEMENTS[module], "Version": "2012-10-17"}]


@pytest.mark.parametrize("module", STATEMENTS)
def test_function_may_delete_frames_only_where_nothing_is_replayed(
    without_replay: Template, module: str
) -> None:
    """The broadcast function may delete rows of the ledger then; nothing else changes."""
    stage = json.loads(json.dumps(STATEMENTS[module]).replace("/prod/POST", "/dev/POST"))
    deleting = allow(["dynamodb:DeleteItem", *LEDGER_ACTIONS], LEDGER)

    (document,) = documents_of(without_replay, module)

    expected = [deleting if one == allow(LEDGER_ACTIONS, LEDGER) else one for one in stage]
    assert document["Statement"] == expected
    assert (deleting in expected) == (module == "broadcast")


def test_roles_have_no_policies_but_their_own(prod: Template) -> None:
    """No role has a managed or an inline policy, and Lambda alone assumes them."""
    own = {
        "ManagedPolicyArns": Match.absent(),
        "Policies": Match.absent(),
        "AssumeRolePolicyDocument": {
            "Statement": [
                {
                    "Action": "sts:AssumeRole",
                    "Effect": "Allow",
                    "Principal": {"Service": "lambda.amazonaws.com"},
                }
            ]
        },
    }

    prod.resource_count_is("AWS::IAM::Role", len(STATEMENTS))
    prod.resource_count_is("AWS::IAM::Policy", len(STATEMENTS))
    prod.resource_count_is("AWS::IAM::ManagedPolicy", 0)
    prod.all_resources_properties("AWS::IAM::Role", own)


def test_nothing_allows_every_resource(prod: Template) -> None:
    """No statement that allows has a star for its resource or its action."""
    resources = prod.to_json()["Resources"].values()
    documents = [one["Properties"].get("PolicyDocument", {}) for one in resources]
    allowing = [
        statement
        for document in documents
        for statement in document.get("Statement", [])
        if statement["Effect"] == "Allow"
    ]

    parts = [statement[key] for statement in allowing for key in ("Action", "Resource")]

    assert allowing
    assert [part for part in parts if "*" in (part if isinstance(part, list) else [part])] == []


def test_producers_of_the_setting_may_send_broadcasts_and_no_others(
    synthesize: Callable[[DeploySettings], Template], dev: Template
) -> None:
    """The broadcast queue's policy names each topic and rule; nothing else changes."""
    topics = [f"arn:aws:sns:eu-central-1:123456789012:{name}" for name in ("a", "b.fifo")]
    rule = "arn:aws:events:eu-central-1:123456789012:rule/bus/news"
    changed = synthesize(DeploySettings.from_context({"producers": [topics[1], rule, topics[0]]}))
    allowed = {"Action": "sqs:SendMessage", "Effect": "Allow", "Resource": BROADCASTS}

    queue = {"Properties": {"Queues": [{"Ref": BROADCASTS["Fn::GetAtt"][0]}]}}
    ((id_, policy),) = changed.find_resources("AWS::SQS::QueuePolicy", queue).items()
    statements = policy["Properties"]["PolicyDocument"]["Statement"]

    assert statements[0]["Effect"] == "Deny"
    assert statements[1:] == [
        allowed
        | {
            "Condition": {"ArnEquals": {"aws:SourceArn": topics}},
            "Principal": {"Service": "sns.amazonaws.com"},
        },
        allowed
        | {
            "Condition": {"ArnEquals": {"aws:SourceArn": [rule]}},
            "Principal": {"Service": "events.amazonaws.com"},
        },
    ]
    del statements[1:]
    whole = changed.to_json()
    whole["Resources"][id_] = policy
    assert whole == dev.to_json()
