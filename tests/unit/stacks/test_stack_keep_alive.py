"""The keep-alive: nothing unless set, else one rule that may send one message."""

import json
from collections.abc import Callable

import pytest
from aws_cdk.assertions import Template

from broadcasting.message import parse_broadcast
from stacks.settings import DeploySettings

QUEUE = {"Fn::GetAtt": ["BroadcastsQueueA9C09604", "Arn"]}


def test_keep_alive_is_not_made_by_default(prod: Template) -> None:
    """There is no rule, and no producer is named in the queue's policy."""
    prod.resource_count_is("AWS::Events::Rule", 0)
    for policy in prod.find_resources("AWS::SQS::QueuePolicy").values():
        statements = policy["Properties"]["PolicyDocument"]["Statement"]
        assert [one["Effect"] for one in statements] == ["Deny"]


@pytest.mark.parametrize(("minutes", "rate"), [(1, "rate(1 minute)"), (9, "rate(9 minutes)")])
def test_keep_alive_enqueues_a_broadcast_every_few_minutes(
    synthesize: Callable[[DeploySettings], Template], minutes: int, rate: str
) -> None:
    """It is an ordinary broadcast to everyone that dies after a minute."""
    template = synthesize(DeploySettings(keep_alive_minutes=minutes))

    (rule,) = template.find_resources("AWS::Events::Rule").values()

    (target,) = rule["Properties"]["Targets"]
    assert rule["Properties"]["ScheduleExpression"] == rate
    assert rule["Properties"]["State"] == "ENABLED"
    assert target["Arn"] == QUEUE
    assert json.loads(target["Input"]) == {"message": {"type": "keep-alive"}, "ttlSeconds": 60}
    assert parse_broadcast(target["Input"], "m1").ttl_seconds == 60


def test_keep_alive_alone_may_send(dev_with_all_set: Template) -> None:
    """The broadcast queue's policy lets this rule send, and none other do anything."""
    (rule,) = dev_with_all_set.find_resources("AWS::Events::Rule")

    policies = dev_with_all_set.find_resources("AWS::SQS::QueuePolicy").values()

    allowing = [
        (policy["Properties"]["Queues"], statement)
        for policy in policies
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Allow"
    ]
    statement = {
        "Action": "sqs:SendMessage",
        "Condition": {"ArnEquals": {"aws:SourceArn": {"Fn::GetAtt": [rule, "Arn"]}}},
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Resource": QUEUE,
    }
    assert allowing == [([{"Ref": "BroadcastsQueueA9C09604"}], statement)]
