"""The command that proves one broadcast from outside: demo."""

import asyncio
import json
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from crier import terminal
from crier.commands.local_deployment import Port, deployed, orderly
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


def demo(
    connections: Annotated[
        int,
        typer.Option(
            parser=number_within(1, 50_000),
            envvar="CONNECTIONS",
            help="How many real clients connect: 1 to 50000.",
        ),
    ] = 3_000,
    port: Port = 0,
    figures: Annotated[
        Path,
        typer.Option(
            help="Where to write the figures as JSON.",
            dir_okay=False,
            writable=True,
            show_default="build/demo.json in the checkout",
        ),
    ] = BUILD / "demo.json",
) -> None:
    """Deploy locally, connect clients, broadcast once and prove that every client received it."""
    refuse_missing_checkout("demo")
    refuse_missing_libraries("ministack", "websockets")
    allow_clients(connections)
    make_place_for(figures)
    with orderly(), terminal.progress() as bars, deployed(bars, port) as (_, deployment):
        refuse_closed_doors(deployment)
        stages = Progress(
            connected=terminal.bar(bars, "Connecting clients", connections),
            ghosts_added=terminal.bar(bars, "Leaving ghosts", ghosts_for(connections)),
            received=terminal.bar(bars, "Receiving the broadcast", connections),
        )
        with interrupts.waiting():
            result = asyncio.run(run_demo(deployment, connections, stages))
    _show(result)
    figures.write_text(json.dumps(result.as_json(), indent=2) + "\n")
    if result.complaints:
        raise typer.Exit(1)


def refuse_closed_doors(deployment: Deployment) -> None:
    """Raise CrierError where clients need a token or a ticket: those of the demo have none."""
    if deployment.auth in ("jwt", "ticket"):
        raise CrierError(
            f"the context of cdk.json or ~/.cdk.json has auth={deployment.auth}, expected open for "
            "the demo, whose clients bring neither tokens nor tickets: take it out there, and "
            f"deploy with SETTINGS=auth={deployment.auth}"
        )


def _show(result: DemoResult) -> None:
    """Show a demo's figures, and whether everything is as promised."""
    table = Table(title="One broadcast, proved from outside", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    rows = {
        "Clients connected": f"{result.connections:,}",
        "Ghost rows": f"{result.ghosts:,}",
        "Targeted": f"{result.targeted:,}",
        "Delivered": f"{result.delivered:,}",
        "Gone": f"{result.gone:,}",
        "Failed": f"{result.failed:,}",
        "Clients that received it exactly once": f"{result.received:,}",
        "Duplicates": f"{result.duplicates:,}",
        "Missing": f"{result.missing:,}",
        "From enqueue to the first client": f"{result.first_seconds:.3f} s",
        "From enqueue to the last client": f"{result.last_seconds:.3f} s",
        "Settled per second": f"{result.settled_per_second:,.0f}",
        "Stale rows left": f"{result.stale_rows_left:,}",
        "Live rows lost": f"{result.live_rows_lost:,}",
    }
    for name, value in rows.items():
        table.add_row(name, value)
    terminal.out.print(table)
    for complaint in result.complaints:
        terminal.err.print(f"[red]✗[/red] {complaint}")
    if not result.complaints:
        terminal.out.print(
            "[green]✓[/green] Every client received it exactly once; the stale rows are gone."
        )
