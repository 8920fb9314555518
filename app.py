"""The CDK app: context in, a checked stack out."""

import aws_cdk as cdk

from stacks.broadcast_stack import BroadcastStack
from stacks.settings import Settings

app = cdk.App()
settings = Settings.from_context(app.node.get_all_context())
BroadcastStack(app, f"crier-{settings.stage}", settings=settings)
app.synth()
