"""The command line: all commands, and those that start a local AWS, local and demo."""

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress as Bars

from crier import terminal
from crier.commands.dead_letters import dead_letters, redrive
from crier.commands.send import SendCommand, send
from crier.commands.status import broadcasts, status
from crier.demo.run import Progress, ghosts_for, run_demo
from crier.deployed.deployment import Deployment, deploy_locally
from crier.errors import CrierError
from crier.files import make_place_for
from crier.installed import refuse_missing_libraries
from crier.local.file_limit import allow_clients, raise_file_limit
from crier.local.interrupts import interrupts
from crier.local.local_aws import LocalAws, stay_local
from crier.local.logs import LogFollower
from crier.local.run_folder import end_what_is_left
from crier.local.session import announced, refuse_second_run
from crier.paths import BUILD

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode="markdown",  # which reads the lines of a paragraph as one
    help="Broadcast to everyone connected to an API Gateway WebSocket API.",
    pretty_exceptions_enable=False,
)

_MANY_FILES = 4_096
Port = Annotated[
    int, typer.Option(min=0, max=65_535, help="The port of the local AWS; 0 takes a free one.")
]


def main() -> None:
    """Run a command; an error that its user can mend is a message, not a traceback."""
    try:
        app()
    except CrierError as error:
        terminal.show_error(error)
        sys.exit(1)


@app.command()
def local(port: Port = 0) -> None:
    """Start a local AWS, deploy Crier to it and show what the functions log, until Ctrl-C."""
    refuse_missing_libraries("ministack")
    end_what_is_left()  # what a killed run has left may look like a run
    refuse_second_run()
    if (files := raise_file_limit(_MANY_FILES)) < _MANY_FILES:
        terminal.show_few_files(files, _MANY_FILES)
    with _orderly(), ExitStack() as stack:
        with terminal.progress() as bars:
            aws, deployment = stack.enter_context(_deployed(bars, port))
        stack.enter_context(announced(aws.endpoint))
        terminal.show_invitation(deployment)
        follower = LogFollower(aws.logs)
        while aws.is_running:
            for line in follower.new_lines():
                terminal.show_log_line(line)
            with interrupts.waiting():
                time.sleep(0.2)
        raise CrierError("the local AWS has ended by itself; start `crier local` again")


@app.command()
def demo(
    connections: Annotated[
        int, typer.Option(min=1, max=50_000, envvar="CONNECTIONS", help="How many real clients.")
    ] = 3_000,
    port: Port = 0,
    figures: Annotated[
        Path,
        typer.Option(help="Where to write the figures as JSON.", dir_okay=False, writable=True),
    ] = BUILD / "demo.json",
) -> None:
    """Deploy locally, connect clients, broadcast once and prove that everyone received it."""
    refuse_missing_libraries("ministack", "websockets")
    allow_clients(connections)
    make_place_for(figures)
    with _orderly(), terminal.progress() as bars, _deployed(bars, port) as (_, deployment):
        stages = Progress(
            connected=terminal.bar(bars, "Connecting clients", connections),
            ghosts_added=terminal.bar(bars, "Leaving ghosts", ghosts_for(connections)),
            received=terminal.bar(bars, "Receiving the broadcast", connections),
        )
        with interrupts.waiting():
            proof = asyncio.run(run_demo(deployment, connections, stages))
    terminal.show_proof(proof)
    figures.write_text(json.dumps(proof.as_json(), indent=2) + "\n")
    if proof.complaints:
        raise typer.Exit(1)


app.command(cls=SendCommand, options_metavar="[OPTIONS] [--]")(send)
app.command()(status)
app.command()(broadcasts)
app.command()(dead_letters)
app.command()(redrive)


@contextmanager
def _deployed(bars: Bars, port: int) -> Iterator[tuple[LocalAws, Deployment]]:
    """Start a local AWS and deploy to it, showing how it goes on."""
    stay_local()
    with terminal.steps(bars, 3) as step:
        step("Starting the local AWS")
        with LocalAws(port) as aws:
            deployment = deploy_locally(aws, step)
            step("")
            yield aws, deployment


@contextmanager
def _orderly() -> Iterator[None]:
    """Make Ctrl-C, and being told to end, an orderly end: everything started is ended first."""
    interrupts.listen()
    try:
        yield
    except KeyboardInterrupt:
        terminal.err.print("Ended; everything that was started is gone.")
        raise typer.Exit(130) from None
