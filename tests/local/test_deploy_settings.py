"""The app, deployed to a local AWS of its own with settings that are not the defaults."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from crier.demo.clients import close_clients, connect_clients
from crier.deployed.deployment import Deployment
from crier.local.deploy import deploy_locally
from crier.local.local_aws import LocalAws
from tests.support.function_logs import Logs
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(240)
KEEP_ALIVE = {"type": "keep-alive"}
A_MINUTE_AND_MORE = 100.0
"""A rule's first minute begins when the local AWS first looks at it; it looks every 10 s."""


@pytest.fixture(scope="module")
def local_aws() -> Iterator[LocalAws]:
    """A local AWS for this file alone: a keep-alive would disturb other tests."""
    with LocalAws() as aws:
        yield aws


@pytest.fixture(scope="module")
def deployment(local_aws: LocalAws) -> Deployment:
    """The app, with a keep-alive every minute and few log lines."""
    return deploy_locally(local_aws, lambda _: None, keepAliveMinutes=1, logLevel="ERROR")


def _attributes(deployment: Deployment, url: str) -> dict[str, Any]:
    """Return a queue's attributes."""
    asked = deployment.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
    found: dict[str, Any] = asked["Attributes"]
    return found


async def test_keep_alive_reaches_every_client_by_itself(
    deployment: Deployment, logs: Logs
) -> None:
    """The rule runs: a minute later every client has had the message, and it has settled.

    At the level ERROR its account is logged, and no client's coming.
    """
    clients = await connect_clients(deployment.web_socket_url, 2)

    await until(lambda: all(client.frames for client in clients), A_MINUTE_AND_MORE)
    settled = await until(lambda: logs.find(message="settled"))
    await close_clients(clients)

    frames = [json.loads(client.frames[0][1]) for client in clients]
    assert [frame["message"] for frame in frames] == [KEEP_ALIVE] * 2
    assert settled[0]["receipt"]["delivered"] == 2
    lines = [line for line in logs.find(service="crier-dev") if "_aws" not in line]
    assert {line["message"] for line in lines} == {"slice closed", "settled"}


async def test_keep_alive_of_the_rule_is_broadcast_when_it_is_sent_as_it_is(
    deployment: Deployment,
) -> None:
    """What the deployed rule has for its target is a message of the contract."""
    events, sqs = deployment.client("events"), deployment.client("sqs")
    arn = _attributes(deployment, deployment.broadcast_queue_url)["QueueArn"]
    (rule,) = events.list_rule_names_by_target(TargetArn=arn)["RuleNames"]
    (target,) = events.list_targets_by_rule(Rule=rule)["Targets"]
    clients = await connect_clients(deployment.web_socket_url, 1)

    sqs.send_message(QueueUrl=deployment.broadcast_queue_url, MessageBody=target["Input"])
    await until(lambda: clients[0].frames)
    await close_clients(clients)

    assert events.describe_rule(Name=rule)["ScheduleExpression"] == "rate(1 minute)"
    assert json.loads(clients[0].frames[0][1])["message"] == KEEP_ALIVE


def test_queue_lets_the_rule_send_and_no_other(deployment: Deployment) -> None:
    """The deployed policy names the deployed rule."""
    found = _attributes(deployment, deployment.broadcast_queue_url)
    (rule,) = deployment.client("events").list_rules()["Rules"]

    statements = json.loads(found["Policy"])["Statement"]

    (allowed,) = [one for one in statements if one["Effect"] == "Allow"]
    assert allowed["Condition"] == {"ArnEquals": {"aws:SourceArn": rule["Arn"]}}
    assert allowed["Principal"] == {"Service": "events.amazonaws.com"}


def test_stage_throttles_two_routes(deployment: Deployment) -> None:
    """The stage takes settings of its routes.

    Their numbers are the template's: the local AWS answers them under names that boto3 does not
    read.
    """
    api = deployment.callback_url.split("/")[-2]

    stage = deployment.client("apigatewayv2").get_stage(ApiId=api, StageName="dev")

    assert set(stage["RouteSettings"]) == {"$connect", "$default"}
    assert stage["DefaultRouteSettings"] == {}


def test_pace_of_an_unset_setting_is_a_number(deployment: Deployment) -> None:
    """The condition on the Region is settled at the deploy; the local AWS is in us-east-1."""
    name = deployment.function_name("Broadcast")

    found = deployment.client("lambda").get_function_configuration(FunctionName=name)

    variables = found["Environment"]["Variables"]
    assert (variables["POSTS_PER_SECOND"], variables["POST_BURST"]) == ("8000", "4000")


@pytest.mark.parametrize(
    ("queue", "dead"),
    [
        ("broadcast_queue_url", "dead_letter_queue_url"),
        ("slice_queue_url", "slice_dead_letter_queue_url"),
    ],
)
def test_dead_letter_queue_names_its_queue(deployment: Deployment, queue: str, dead: str) -> None:
    """The ARN that is made of the queue's name is the queue's."""
    source = _attributes(deployment, getattr(deployment, queue))
    letters = _attributes(deployment, getattr(deployment, dead))

    allowed = json.loads(letters["RedriveAllowPolicy"])

    assert allowed == {"redrivePermission": "byQueue", "sourceQueueArns": [source["QueueArn"]]}
    assert json.loads(source["RedrivePolicy"])["deadLetterTargetArn"] == letters["QueueArn"]
    assert json.loads(source["RedriveAllowPolicy"]) == {"redrivePermission": "denyAll"}
    assert source["MaximumMessageSize"] == letters["MaximumMessageSize"] == str(1024 * 1024)
