"""The CDK lines of the documents make what they say."""

import re
from pathlib import Path
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from aws_cdk.assertions import Template

RECIPES = (Path(__file__).parents[3] / "docs" / "user" / "producers.md").read_text()
QUEUE_ARN = "arn:aws:sqs:eu-central-1:123456789012:broadcasts"


def _stack_of(heading: str) -> Template:
    """Return the template of a stack that has a section's lines of Python."""
    stack = cdk.Stack(cdk.App(), "producer")
    section = RECIPES.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    (lines,) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    modules = {
        "events": events,
        "sns": sns,
        "sqs": sqs,
        "subscriptions": subscriptions,
        "targets": targets,
    }
    exec(lines, {**modules, "self": stack, "queue_arn": QUEUE_ARN})  # noqa: S102 - our own text
    return Template.from_stack(stack)


def test_topic_of_the_recipe_delivers_raw_messages() -> None:
    """The subscription is the queue's, and has no envelope."""
    template = _stack_of("2. An SNS topic")

    template.has_resource_properties("AWS::SNS::Topic", {"TopicName": "news"})
    template.has_resource_properties(
        "AWS::SNS::Subscription",
        {"Endpoint": QUEUE_ARN, "Protocol": "sqs", "RawMessageDelivery": True},
    )
    template.resource_count_is("AWS::SQS::QueuePolicy", 0)


def test_rules_of_the_recipe_send_broadcasts() -> None:
    """One sends the detail, the other a broadcast around it, with the event's id."""
    template = _stack_of("3. An EventBridge rule")

    rules = template.find_resources("AWS::Events::Rule").values()
    found: dict[str, Any] = {
        rule["Properties"]["Name"]: rule["Properties"]["Targets"][0] for rule in rules
    }

    assert found["news"] == {"Arn": QUEUE_ARN, "Id": "Target0", "InputPath": "$.detail"}
    transformer = found["other"]["InputTransformer"]
    names = {path: name for name, path in transformer["InputPathsMap"].items()}
    assert transformer["InputTemplate"] == (
        f'{{"id":<{names["$.id"]}>,"message":<{names["$.detail"]}>}}'
    )
    template.resource_count_is("AWS::SQS::QueuePolicy", 0)
