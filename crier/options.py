"""The options that several commands share, and the stack that those options name."""

from typing import Annotated

import typer

from crier.deployed.deployment import Deployment, find_deployed
from crier.local.deploy import find_local
from crier.local.environment import stay_local
from crier.local.session import running_endpoint

Stack = Annotated[
    str | None,
    typer.Option(help="The deployed stack, such as crier-prod. Without it: the local run."),
]
Profile = Annotated[str | None, typer.Option(help="The AWS profile; not for the local run.")]
Region = Annotated[str | None, typer.Option(help="The AWS Region; not for the local run.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


def refuse_lone_options(stack: str | None, profile: str | None, region: str | None) -> None:
    """Raise typer.BadParameter when options are given that mean nothing without --stack."""
    if stack is None and (profile, region) != (None, None):
        raise typer.BadParameter("--profile and --region need --stack: the local run has neither")


def find_deployment(stack: str | None, profile: str | None, region: str | None) -> Deployment:
    """Return the stack that is named, or the local run's without `stack`. Raises CrierError."""
    refuse_lone_options(stack, profile, region)
    if stack is None:
        endpoint = running_endpoint()
        stay_local()
        return find_local(endpoint)
    return find_deployed(stack, profile, region)
