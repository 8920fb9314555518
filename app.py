"""The CDK app: context in, a checked stack out."""

import json
import sys
from pathlib import Path

from crier.installed import explained, refuse_missing_node

with explained():
    refuse_missing_node()

    import aws_cdk as cdk

    from stacks.broadcast_stack import BroadcastStack
    from stacks.parts.dependencies import DependencyError
    from stacks.settings import DeploySettings, SettingsError

    # The CDK CLI reads the cdk.json of the folder that it runs in: let the stack be the same in all
    project = json.loads(Path(__file__).with_name("cdk.json").read_text())
    app = cdk.App(context=project["context"], analytics_reporting=project["versionReporting"])
    try:
        settings = DeploySettings.from_context(app.node.get_all_context())
        BroadcastStack(app, f"crier-{settings.stage}", settings=settings)
    except (SettingsError, DependencyError) as error:
        sys.exit(f"Error: {error}")
    app.synth()
