"""The command line: puts the commands together."""

import sys
from typing import Annotated

import typer

from crier import __version__, terminal
from crier.commands.broadcasts import broadcasts
from crier.commands.connections import connections
from crier.commands.dead_letters import dead_letters
from crier.commands.demo import demo
from crier.commands.inspect_connection import inspect
from crier.commands.kick import kick
from crier.commands.listen import listen
from crier.commands.local import local
from crier.commands.probe import probe
from crier.commands.redrive import redrive
from crier.commands.send import SendCommand, send
from crier.commands.status import status
from crier.commands.ticket import ticket
from crier.errors import CrierError

app = typer.Typer(
    name="crier",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode="markdown",  # which reads the lines of a paragraph as one
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Run a command; an error that its user can mend is a message, not a traceback."""
    try:
        app(prog_name="crier")
    except CrierError as error:
        terminal.show_error(error)
        sys.exit(1)


def _show_version(is_asked: bool) -> None:  # noqa: FBT001 - Typer calls it so
    if is_asked:
        terminal.show_line(f"crier {__version__}")
        raise typer.Exit


@app.callback()
def _crier(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=_show_version, help="Show the version."),
    ] = False,
) -> None:
    """Broadcast to everyone connected to an API Gateway WebSocket API."""
    del version  # its callback has ended the command line if it was asked for


app.command()(local)
app.command()(demo)
app.command(cls=SendCommand, options_metavar="[OPTIONS] [--]")(send)
app.command()(listen)
app.command()(status)
app.command()(broadcasts)
app.command()(dead_letters)
app.command()(redrive)
app.command()(connections)
app.command()(inspect)
app.command()(kick)
app.command()(ticket)
app.command()(probe)
