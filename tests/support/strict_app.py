"""The CDK app for a local AWS that enforces permissions, where two things have to be otherwise.

The roles of the CDK's bootstrap are refused the bucket of the assets there, so it deploys with the
credentials of the CLI. And its queues answer over plain HTTP, which our queues refuse.
"""

from typing import Any, cast

import aws_cdk as cdk
from aws_cdk import aws_sqs as sqs

from stacks.broadcast_stack import BroadcastStack
from stacks.settings import DeploySettings


def _let_plain_http_in(stack: cdk.Stack) -> None:
    for one in stack.node.find_all():
        if isinstance(one, sqs.CfnQueuePolicy):
            document: dict[str, Any] = stack.resolve(one.policy_document)
            document["Statement"] = [
                statement
                for statement in document["Statement"]
                if "aws:SecureTransport" not in str(statement.get("Condition"))
            ]
            one.policy_document = document
            if not document["Statement"]:
                cast("cdk.Resource", one.node.scope).node.try_remove_child(one.node.id)


app = cdk.App(default_stack_synthesizer=cdk.CliCredentialsStackSynthesizer())
settings = DeploySettings.from_context(app.node.get_all_context())
_let_plain_http_in(BroadcastStack(app, f"crier-{settings.stage}", settings=settings))
app.synth()
