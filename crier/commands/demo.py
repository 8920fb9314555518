"""The command that proves broadcasts from outside: demo."""

import asyncio
import json
from pathlib import Path
from typing import Annotated

import typer

from crier import terminal
from crier.commands.demo_views import show_channels_result, show_result
from crier.commands.local_deployment import Port, deployed, orderly
from crier.demo.cast import AWAY_FRAMES, CHANNELS, FEWEST_CLIENTS
from crier.demo.channels_result import ChannelsResult
from crier.demo.channels_run import Progress as ChannelsProgress
from crier.demo.channels_run import broadcasts_for, run_channels_demo
from crier.demo.result import DemoResult
from crier.demo.run import Progress, ghosts_for, run_demo
from crier.deployed.deployment import Deployment
from crier.errors import CrierError
from crier.files import make_place_for
from crier.installed import refuse_missing_checkout, refuse_missing_libraries
from crier.local.file_limit import allow_clients
from crier.local.interrupts import interrupts
from crier.numbers import number_within
from crier.paths import BUILD

CLIENTS, CLIENTS_WITH_CHANNELS = 3_000, 30

Connections = Annotated[
    int | None,
    typer.Option(
        parser=number_within(1, 50_000),
        envvar="CONNECTIONS",
        help="How many real clients connect: 1 to 50000. Without it: "
        f"{CLIENTS}, with --channels {CLIENTS_WITH_CHANNELS}.",
    ),
]
Channels = Annotated[
    bool,
    typer.Option(
        "--channels",
        help=f"Prove channels, users, exclude and replay instead: {len(CHANNELS)} channels, a "
        f"client that goes away, misses {AWAY_FRAMES} frames and comes back.",
    ),
]
Figures = Annotated[
    Path | None,
    typer.Option(
        help="Where to write the figures as JSON. Without it: build/demo.json in the checkout, "
        "with --channels build/demo-channels.json.",
        dir_okay=False,
        writable=True,
    ),
]


def demo(
    connections: Connections = None,
    *,
    channels: Channels = False,
    port: Port = 0,
    figures: Figures = None,
) -> None:
    """Deploy locally, connect clients, broadcast, and prove what every client received."""
    refuse_missing_checkout("demo")
    refuse_missing_libraries("ministack", "websockets")
    clients = connections or (CLIENTS_WITH_CHANNELS if channels else CLIENTS)
    if channels and clients < FEWEST_CLIENTS:
        raise typer.BadParameter(
            f"found {clients}, expected {FEWEST_CLIENTS} or more with --channels",
            param_hint="--connections",
        )
    allow_clients(clients)
    place = figures or BUILD / ("demo-channels.json" if channels else "demo.json")
    make_place_for(place)
    result = _channels_proved(clients, port) if channels else _proved(clients, port)
    place.write_text(json.dumps(result.as_json(), indent=2) + "\n")
    if result.complaints:
        raise typer.Exit(1)


def refuse_closed_doors(deployment: Deployment) -> None:
    """Raise CrierError unless anybody may connect: the demo's clients have nothing to show."""
    if deployment.auth != "open":
        raise CrierError(
            f"the context of cdk.json or ~/.cdk.json has auth={deployment.auth}, expected open for "
            "the demo, whose clients bring neither tokens, tickets nor signatures: take it out "
            f"there, and deploy with SETTINGS=auth={deployment.auth}"
        )


def _proved(clients: int, port: int) -> DemoResult:
    with orderly(), terminal.progress() as bars, deployed(bars, port) as (_, deployment):
        refuse_closed_doors(deployment)
        stages = Progress(
            connected=terminal.bar(bars, "Connecting clients", clients),
            ghosts_added=terminal.bar(bars, "Leaving ghosts", ghosts_for(clients)),
            received=terminal.bar(bars, "Receiving the broadcast", clients),
        )
        with interrupts.waiting():
            result = asyncio.run(run_demo(deployment, clients, stages))
    show_result(result)
    return result


def _channels_proved(clients: int, port: int) -> ChannelsResult:
    settings = {"auth": "ticket"}
    with orderly(), terminal.progress() as bars, deployed(bars, port, settings) as (_, deployment):
        stages = ChannelsProgress(
            joined=terminal.bar(bars, "Joining with tickets", clients),
            settled=terminal.bar(bars, "Broadcasting", broadcasts_for(clients)),
        )
        with interrupts.waiting():
            result = asyncio.run(run_channels_demo(deployment, clients, stages))
    show_channels_result(result)
    return result
