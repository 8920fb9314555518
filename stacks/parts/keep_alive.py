"""A small broadcast every few minutes, so that API Gateway cuts no client for being idle."""

import json

from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sqs as sqs
from constructs import Construct

BROADCAST = {"message": {"type": "keep-alive"}, "ttlSeconds": 60}
"""An ordinary broadcast: it has a `seq` and an account. One that is late helps no client."""


class KeepAlive(Construct):
    """A rule that enqueues a broadcast every `every_minutes`, 1 to 9.

    API Gateway cuts a connection after 10 minutes in which nothing was sent either way. The rule
    may send to this queue, and no other rule may.
    """

    def __init__(self, scope: Construct, id_: str, *, queue: sqs.Queue, every_minutes: int) -> None:
        super().__init__(scope, id_)
        unit = "minute" if every_minutes == 1 else "minutes"
        rule = events.CfnRule(
            self,
            "Rule",
            description="Crier: keeps idle connections open",
            schedule_expression=f"rate({every_minutes} {unit})",
            state="ENABLED",
            targets=[
                events.CfnRule.TargetProperty(
                    arn=queue.queue_arn, id="Broadcasts", input=json.dumps(BROADCAST)
                )
            ],
        )
        queue.add_to_resource_policy(
            iam.PolicyStatement(
                actions=["sqs:SendMessage"],
                conditions={"ArnEquals": {"aws:SourceArn": rule.attr_arn}},
                principals=[iam.ServicePrincipal("events.amazonaws.com")],
                resources=[queue.queue_arn],
            )
        )
