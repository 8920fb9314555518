"""SNS topics and EventBridge rules as producers: the recipes of the documents, as they are."""

import asyncio
import json
import re
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import closing
from functools import partial
from typing import Any

import boto3
import pytest
import pytest_asyncio

from crier.demo.clients import Client, close_clients, connect_clients
from crier.deployed.deployment import Deployment
from crier.local.local_aws import ACCESS_KEY_ID, ACCOUNT, REGION, SECRET_ACCESS_KEY, LocalAws
from crier.paths import ROOT
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(120)

RECIPES = (ROOT / "docs" / "user" / "producers.md").read_text()
Follow = Callable[[str], subprocess.CompletedProcess[str]]


def recipes(heading: str) -> list[str]:
    """Return the blocks for the shell of a section."""
    section = RECIPES.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return re.findall(r"```sh\n(.*?)```", section, re.DOTALL)


@pytest.fixture
def follow(deployment: Deployment, bare_environment: Mapping[str, str]) -> Follow:
    """Runs a recipe as it is, after the lines that lead it to the local AWS."""
    assert deployment.endpoint_url is not None
    first, *_ = re.findall(r"```sh\n(.*?)```", RECIPES, re.DOTALL)
    locally = first.replace("http://127.0.0.1:PORT", deployment.endpoint_url)

    def run(recipe: str) -> subprocess.CompletedProcess[str]:
        recipe = recipe.replace("crier-prod", deployment.stack)
        return subprocess.run(
            ["/bin/sh", "-euc", locally + recipe],
            capture_output=True,
            check=False,
            cwd=ROOT,
            env=bare_environment,
            text=True,
            timeout=100,
        )

    return run


@pytest_asyncio.fixture
async def clients(deployment: Deployment) -> AsyncIterator[list[Client]]:
    """Three connected clients."""
    connected = await connect_clients(deployment.web_socket_url, 3)
    yield connected
    await close_clients(connected)


@pytest.fixture
def queue_arn(deployment: Deployment) -> str:
    """The broadcast queue's ARN, as the stack's output says."""
    (stack,) = deployment.client("cloudformation").describe_stacks(StackName=deployment.stack)[
        "Stacks"
    ]
    outputs = {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}
    return str(outputs["BroadcastQueueArn"])


@pytest.fixture(autouse=True)
def no_news(deployment: Deployment) -> Iterator[None]:
    """Leave no topic, rule or dead letter of one test to the next one."""
    sqs, events = deployment.client("sqs"), deployment.client("events")
    sqs.purge_queue(QueueUrl=deployment.dead_letter_queue_url)
    yield
    deployment.client("sns").delete_topic(TopicArn=f"arn:aws:sns:{REGION}:{ACCOUNT}:news")
    for rule in events.list_rules()["Rules"]:
        targets = events.list_targets_by_rule(Rule=rule["Name"])["Targets"]
        events.remove_targets(Rule=rule["Name"], Ids=[one["Id"] for one in targets])
        events.delete_rule(Name=rule["Name"])


async def received(clients: list[Client]) -> list[dict[str, Any]]:
    """Return each client's one frame."""
    async with asyncio.timeout(30):
        for client in clients:
            await client.has_frame.wait()
    assert [len(client.frames) for client in clients] == [1] * len(clients)
    return [json.loads(client.frames[0][1]) for client in clients]


async def dead_letter(deployment: Deployment) -> tuple[str, str]:
    """Return the body of the one dead letter, and the reason."""
    sqs, url = deployment.client("sqs"), deployment.dead_letter_queue_url
    (letter,) = await until(
        lambda: sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"]).get("Messages")
    )
    reason: str = letter["MessageAttributes"]["crier.reason"]["StringValue"]
    return letter["Body"], reason


async def test_topic_of_the_recipe_reaches_every_client(
    clients: list[Client], follow: Follow
) -> None:
    """A subscription with raw delivery sends what was published, as it is."""
    (recipe,) = recipes("2. An SNS topic")

    done = await asyncio.to_thread(follow, recipe)

    assert done.returncode == 0, done.stderr
    assert [frame["message"] for frame in await received(clients)] == ["Hear ye!"] * 3


@pytest.mark.parametrize(("number", "message"), [(0, "Hear ye!"), (1, {"title": "Hear ye!"})])
async def test_rule_of_the_recipe_reaches_every_client(
    clients: list[Client],
    follow: Follow,
    number: int,
    message: object,
) -> None:
    """An event's detail is a broadcast by InputPath, and becomes one by the transformer."""
    recipe = recipes("3. An EventBridge rule")[number]

    done = await asyncio.to_thread(follow, recipe)

    assert done.returncode == 0, done.stderr
    frames = await received(clients)
    event_id = json.loads(done.stdout[done.stdout.rindex('{\n    "F') :])["Entries"][0]["EventId"]
    assert [frame["message"] for frame in frames] == [message] * 3
    assert ({frame["id"] for frame in frames} == {event_id}) is (number == 1)


async def test_topic_without_raw_delivery_is_told_to_set_it(
    deployment: Deployment, queue_arn: str
) -> None:
    """The envelope is a dead letter, whole, with a reason that names the cure."""
    sns = deployment.client("sns")
    topic = sns.create_topic(Name="news")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue_arn)

    sns.publish(TopicArn=topic, Message='{"message": "hear"}', Subject="s")
    body, reason = await dead_letter(deployment)

    assert reason.startswith("an SNS envelope: set RawMessageDelivery to true on the subscription")
    assert json.loads(json.loads(body)["Message"]) == {"message": "hear"}


async def test_rule_without_an_input_path_is_told_to_set_it(
    deployment: Deployment, queue_arn: str
) -> None:
    """The event is a dead letter, whole, with a reason that names the cure."""
    events = deployment.client("events")
    events.put_rule(Name="news", EventPattern='{"source": ["my.app"]}')
    events.put_targets(Rule="news", Targets=[{"Id": "crier", "Arn": queue_arn}])
    detail = '{"message": "hear"}'

    events.put_events(Entries=[{"Source": "my.app", "DetailType": "news", "Detail": detail}])
    body, reason = await dead_letter(deployment)

    assert reason.startswith("an EventBridge event: give the rule's target the InputPath $.detail")
    assert json.loads(body)["detail"] == {"message": "hear"}


async def test_message_that_is_nested_too_deeply_is_a_dead_letter(deployment: Deployment) -> None:
    """At whatever depth, in the function's own interpreter."""
    body = '{"message": ' + "[" * 100_000 + "]" * 100_000 + "}"

    deployment.client("sqs").send_message(QueueUrl=deployment.broadcast_queue_url, MessageBody=body)
    found, reason = await dead_letter(deployment)

    assert found == body
    assert reason.startswith("nested too deeply to be read: 100001 levels, expected at most 64")


async def test_policy_lets_only_the_named_topic_send(
    deployment: Deployment, queue_arn: str
) -> None:
    """Where the local AWS enforces policies, another topic's message does not arrive."""
    found = deployment.client("sqs").get_queue_attributes(
        QueueUrl=deployment.broadcast_queue_url, AttributeNames=["Policy"]
    )
    policy = json.loads(found["Attributes"]["Policy"])
    allowing = [one for one in policy["Statement"] if one["Effect"] == "Allow"]  # no TLS there

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUTH", "true")
        with LocalAws() as strict:
            publish = partial(_publish_to_both, strict, queue_arn, policy | {"Statement": allowing})
            bodies = await asyncio.to_thread(publish)

    assert len(allowing) == 2
    assert bodies == ["news"]


def _publish_to_both(strict: LocalAws, queue_arn: str, policy: dict[str, Any]) -> list[str]:
    """Publish to the topic that a queue's policy names and to another; return what came."""
    session = boto3.Session(ACCESS_KEY_ID, SECRET_ACCESS_KEY, region_name=REGION)
    with (
        closing(session.client("sqs", endpoint_url=strict.endpoint.url)) as sqs,
        closing(session.client("sns", endpoint_url=strict.endpoint.url)) as sns,
    ):
        url = sqs.create_queue(
            QueueName=queue_arn.rsplit(":", 1)[1], Attributes={"Policy": json.dumps(policy)}
        )["QueueUrl"]
        for name in ("other", "news"):
            topic = sns.create_topic(Name=name)["TopicArn"]
            raw = {"RawMessageDelivery": "true"}
            sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue_arn, Attributes=raw)
            sns.publish(TopicArn=topic, Message=name)
        answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=2)
    return [one["Body"] for one in answer.get("Messages", [])]
