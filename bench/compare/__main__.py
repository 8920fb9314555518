"""The benchmark: `python -m bench`, or `make bench`."""

import signal
import sys
from collections.abc import Callable, Sequence
from typing import Annotated

import typer

from bench.compare import terminal
from bench.compare.cores import Cores
from bench.compare.import_cost import import_ratio
from bench.compare.machine import machine_facts
from bench.compare.result import LATEST, PARTIAL, Result, Run
from bench.compare.runner import Runner, Sample, in_rounds, run_all
from bench.compare.runs import FULL_REPEATS, QUICK_REPEATS, PlannedRun, full, only, quick
from bench.compare.targets import PROBES, judge
from bench.compare.whole_path_cost import whole_path_microseconds
from bench.errors import BenchError
from bench.strategies.registry import require, shown
from testbed.stand_in.process import StandInError, StandInProcess

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
_INTERRUPTED = 130


def main() -> None:
    """Run the benchmark; an error that its user can mend is a message, not a traceback."""
    try:
        app()
    except (BenchError, StandInError) as error:
        terminal.err.print(f"[red]Error:[/red] {error}", soft_wrap=True, highlight=False)
        sys.exit(1)


@app.command()
def bench(
    *,
    is_quick: Annotated[
        bool, typer.Option("--quick", help="A short version, under 2 minutes.")
    ] = False,
    names: Annotated[
        list[str] | None, typer.Option("--only", help="Just this run or strategy; repeatable.")
    ] = None,
    repeats: Annotated[
        int | None, typer.Option(min=1, max=50, help="How often each run is done.")
    ] = None,
) -> None:
    """Measure the ways of posting to everyone, and judge them by the targets."""
    runs = quick() if is_quick else full()
    runs = only(runs, names) if names else runs
    require(run.strategy for run in runs)
    rounds = repeats or (QUICK_REPEATS if is_quick else FULL_REPEATS)
    try:
        samples, probes = _measure(runs, rounds, has_probes=not names)
    except KeyboardInterrupt:
        terminal.err.print("Ended; everything that was started is gone.")
        raise typer.Exit(_INTERRUPTED) from None
    summed_up = tuple(Run.of(run, samples[run]) for run in runs)
    result = Result(machine_facts(), summed_up, judge(summed_up, probes))
    path = PARTIAL if names else LATEST  # some runs do not replace all of them
    result.write(path)
    terminal.show_runs(result.runs)
    terminal.show_targets(result.targets)
    terminal.err.print(f"Written to {shown(path)}.", highlight=False)
    if _complain(samples):
        raise typer.Exit(1)


def _measure(
    runs: Sequence[PlannedRun], rounds: int, *, has_probes: bool
) -> tuple[dict[PlannedRun, list[Sample]], dict[str, float]]:
    """Return the samples of the runs, and what the probes say, on a bar of all steps."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # being told to end is orderly too
    cores = Cores.find()
    steps = sum(1 for _ in in_rounds(runs, rounds)) + has_probes * len(PROBES)
    with terminal.progress(steps) as begin:
        with StandInProcess(cpu=cores.stand_in) as stand_in:
            samples = run_all(runs, rounds, Runner(stand_in, cores), lambda run: begin(_title(run)))
        return samples, _probe(begin) if has_probes else {}


def _probe(begin: Callable[[str], None]) -> dict[str, float]:
    programs = dict(zip(PROBES, (import_ratio, whole_path_microseconds), strict=True))
    figures = {}
    for name, program in programs.items():
        begin(f"Measuring the {name}")
        figures[name] = program()
    return {name: figure for name, figure in figures.items() if figure is not None}


def _title(run: PlannedRun) -> str:
    return f"{run.name}: {run.connections:,}, {run.in_flight} in flight"


def _complain(samples: dict[PlannedRun, list[Sample]]) -> bool:
    """Say which accounts are wrong; returns whether any is."""
    wrong = [
        f"{_title(run)}: {complaint}"
        for run, repeats in samples.items()
        for repeat in repeats
        for complaint in repeat.complaints
    ]
    for complaint in wrong:
        terminal.err.print(f"[red]Wrong account:[/red] {complaint}", highlight=False)
    return bool(wrong)


if __name__ == "__main__":
    main()
