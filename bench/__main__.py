"""The benchmarks' command line: `python -m bench VERB`; `--help` names the verbs."""

# ruff: noqa: PLC0415 - a verb loads its own parts only: `scale` judges the memory of this process

import secrets
import signal
from collections.abc import Callable
from typing import Annotated

import typer

from bench import terminal
from bench.errors import BenchError
from crier.errors import CrierError
from testbed.stand_in.process import StandInError

_INTERRUPTED = 130

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Measure Crier, and judge it by its targets.",
    pretty_exceptions_enable=False,
)


@app.command()
def compare(
    *,
    is_quick: Annotated[
        bool, typer.Option("--quick", help="A short version, some 3 minutes.")
    ] = False,
    names: Annotated[
        list[str] | None, typer.Option("--only", help="Just this run or strategy; repeatable.")
    ] = None,
    repeats: Annotated[
        int | None, typer.Option(min=1, max=50, help="How often each run is done.")
    ] = None,
) -> None:
    """Measure the ways of posting to all connections, side by side.

    Exit status 1 when a strategy lost or repeated a post; a missed target is no failure.
    """
    from bench.compare.verb import compare as body

    _do(lambda: body(is_quick=is_quick, names=names or (), repeats=repeats))


@app.command()
def scale(
    sizes: Annotated[
        list[int] | None,
        typer.Option("--size", min=1, help="This many connections; repeatable. Prints JSON."),
    ] = None,
) -> None:
    """Broadcast once at each size, count the requests and price them.

    Exit status 1 when a target is missed.
    """
    from bench.scale.verb import scale as body

    _do(lambda: body(sizes or ()))


@app.command()
def simulate() -> None:
    """Simulate the shared pace in virtual time, and draw its plots.

    Exit status 1 when a target is missed.
    """
    from bench.simulate.verb import simulate as body

    _do(body)


@app.command()
def soak(
    seconds: Annotated[float, typer.Option(min=0, help="How long clients come and go.")] = 300.0,
    seed: Annotated[
        int | None, typer.Option(help="Repeats a soak: the seed that it has shown.")
    ] = None,
) -> None:
    """Churn clients and broadcasts on a local AWS, with faults on.

    Exit status 1 when a promise is broken.
    """
    from bench.soak import soak as body

    _do(lambda: body(seconds, secrets.randbelow(1_000_000) if seed is None else seed))


@app.command()
def storm(
    seconds: Annotated[float, typer.Option(min=1, help="How long clients are cut.")] = 180.0,
    seed: Annotated[
        int | None, typer.Option(help="Repeats a storm: the seed that it has shown.")
    ] = None,
    clients: Annotated[int, typer.Option(min=10, help="How many clients there are.")] = 500,
) -> None:
    """Cut clients of crier.v1 at random on a local AWS: each must have each frame once, in order.

    Exit status 1 when a promise is broken.
    """
    from bench.storm import storm as body

    drawn = secrets.randbelow(1_000_000) if seed is None else seed
    _do(lambda: body(seconds, drawn, clients))


@app.command()
def plots() -> None:
    """Draw the plots of the latest results of compare and scale."""
    from bench.plots.verb import plots as body

    _do(body)


@app.command()
def page_picture() -> None:
    """Take the picture of the local run's page, in Chromium."""
    from bench.page_picture import page_picture as body

    _do(body)


@app.command()
def documents() -> None:
    """Write the figures of the latest comparison into the documents."""
    from bench.documents.verb import documents as body

    _do(body)


@app.command()
def promises(
    names: Annotated[
        list[str] | None, typer.Argument(help="What to measure; everything when left out.")
    ] = None,
) -> None:
    """Measure what throttling, freezes, refusals and outages cost.

    Exit status 1 when a target is missed.
    """
    from bench.promises.verb import promises as body

    _do(lambda: body(names or ()))


@app.command()
def door() -> None:
    """Measure what it costs to be let in: a token, the authorizer's import, connects per second.

    Exit status 1 when a target is missed.
    """
    from bench.door.verb import door as body

    _do(body)


def _do(verb: Callable[[], bool]) -> None:
    """Run a verb and end the program: with 0 when the verb returns True, else with 1.

    An error that its user can mend is a message, not a traceback.
    """
    try:
        is_well = verb()
    except KeyboardInterrupt:
        terminal.note("Ended; everything that was started is gone.")
        raise typer.Exit(_INTERRUPTED) from None
    except (BenchError, CrierError, StandInError) as error:
        terminal.show_error(error)
        raise typer.Exit(1) from None
    raise typer.Exit(0 if is_well else 1)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # being told to end is orderly, too
    app()
