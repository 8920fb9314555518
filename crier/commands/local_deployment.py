"""What `local` and `demo` share: the app on a local AWS, and an end that leaves nothing."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.progress import Progress as Bars

from crier import terminal
from crier.deployed.deployment import Deployment
from crier.local.deploy import deploy_locally
from crier.local.environment import stay_local
from crier.local.interrupts import interrupts
from crier.local.local_aws import LocalAws
from crier.numbers import number_within

Port = Annotated[
    int,
    typer.Option(
        parser=number_within(0, 65_535),
        help="The port of the local AWS, up to 65535; 0 takes a free one.",
    ),
]


@contextmanager
def deployed(
    bars: Bars, port: int, settings: Mapping[str, str] | None = None
) -> Iterator[tuple[LocalAws, Deployment]]:
    """Start a local AWS and deploy to it, and show how far that is.

    `settings` are deploy settings, by their names in the CDK context.
    """
    stay_local()
    with terminal.steps(bars, 3) as step:
        step("Starting the local AWS")
        with LocalAws(port) as aws:
            deployment = deploy_locally(aws, step, **(settings or {}))
            step("")
            yield aws, deployment


@contextmanager
def orderly() -> Iterator[None]:
    """Let Ctrl-C, and the signals that end a process, end first what was started."""
    interrupts.listen()
    try:
        yield
    except KeyboardInterrupt:
        terminal.err.print("Ended; everything that was started is gone.")
        raise typer.Exit(130) from None
