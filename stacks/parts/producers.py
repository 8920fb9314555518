"""Lets SNS topics and EventBridge rules send to a queue, and no others."""

from collections.abc import Sequence

from aws_cdk import aws_iam as iam
from aws_cdk import aws_sqs as sqs

from stacks.producers import service_of

_PRINCIPALS = {"sns": "sns.amazonaws.com", "events": "events.amazonaws.com"}


def let_send(queue: sqs.Queue, producers: Sequence[str]) -> None:
    """Add to a queue's policy that these topics and rules may send to it.

    A service sends for all its customers: `aws:SourceArn` tells for which topic or rule it does.

    https://docs.aws.amazon.com/sns/latest/dg/subscribe-sqs-queue-to-sns-topic.html
    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html#eb-sqs-permissions
    """
    for service, principal in _PRINCIPALS.items():
        arns = sorted(arn for arn in producers if service_of(arn) == service)
        if arns:
            queue.add_to_resource_policy(
                iam.PolicyStatement(
                    actions=["sqs:SendMessage"],
                    principals=[iam.ServicePrincipal(principal)],
                    resources=[queue.queue_arn],
                    conditions={"ArnEquals": {"aws:SourceArn": arns}},
                )
            )
