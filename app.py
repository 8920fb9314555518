"""The CDK app: context in, a checked stack out."""

import sys

import aws_cdk as cdk

from stacks.broadcast_stack import BroadcastStack
from stacks.settings import Settings, SettingsError

app = cdk.App()
try:
    settings = Settings.from_context(app.node.get_all_context())
except SettingsError as error:
    sys.exit(f"Error: {error}")
BroadcastStack(app, f"crier-{settings.stage}", settings=settings)
app.synth()
