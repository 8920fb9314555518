"""What `python -m bench compare` does: plan, measure in rounds, judge, write, show."""

from collections.abc import Callable, Sequence

from bench import terminal
from bench.compare.before import COMMIT, unpack_before
from bench.compare.cores import Cores
from bench.compare.import_cost import import_ratio
from bench.compare.machine import machine_facts
from bench.compare.result import LATEST, PARTIAL, Result, Run
from bench.compare.runner import Runner, Sample, in_rounds, run_all
from bench.compare.runs import FULL_REPEATS, QUICK_REPEATS, PlannedRun, full, only, quick
from bench.compare.table import show_runs
from bench.compare.targets import PROBES, judge
from bench.compare.whole_path_cost import whole_path_microseconds
from bench.errors import BenchError
from bench.paths import shown
from bench.strategies.registry import require
from testbed.stand_in.process import StandInProcess

_BEFORE = "crier-before"


def compare(*, is_quick: bool, names: Sequence[str], repeats: int | None) -> bool:
    """Measure, judge, write and show; return whether every strategy's receipt is right.

    `names` are runs or strategies, none of them for all; `repeats` is None for the plan's own.
    """
    plan = quick() if is_quick else full()
    runs = _measurable(only(plan, names) if names else plan)
    require(run.strategy for run in runs)
    rounds = repeats or (QUICK_REPEATS if is_quick else FULL_REPEATS)
    samples, probes = _measure(runs, rounds, has_probes=not names)
    summed_up = tuple(Run.of(run, samples[run]) for run in runs)
    result = Result(machine_facts(), summed_up, judge(summed_up, probes))
    path = PARTIAL if names else LATEST  # some runs do not replace all of them
    result.write(path)
    show_runs(result.runs)
    terminal.show_targets(result.targets)
    terminal.note(f"Written to {shown(path)}.")
    return not _complain(samples)


def _measurable(runs: Sequence[PlannedRun]) -> Sequence[PlannedRun]:
    """Return the runs without those of the release before, where it cannot be had."""
    if unpack_before() or not any(run.strategy == _BEFORE for run in runs):
        return runs
    terminal.note(f"The release before ({COMMIT[:7]}) is not in this checkout: left out.")
    return tuple(run for run in runs if run.strategy != _BEFORE)


def _measure(
    runs: Sequence[PlannedRun], rounds: int, *, has_probes: bool
) -> tuple[dict[PlannedRun, list[Sample]], dict[str, float]]:
    """Return the samples of the runs, and what the probes say, on a bar of all steps."""
    cores = Cores.find()
    steps = sum(1 for _ in in_rounds(runs, rounds)) + has_probes * len(PROBES)
    with terminal.progress(steps) as begin:
        with StandInProcess(cpu=cores.stand_in) as stand_in:
            samples = run_all(runs, rounds, Runner(stand_in, cores), lambda run: begin(_title(run)))
        return samples, _probe(begin) if has_probes else {}


def _probe(begin: Callable[[str], None]) -> dict[str, float]:
    """Return what the probes say; one that fails says so, and takes no run's figures along."""
    programs = dict(zip(PROBES, (import_ratio, whole_path_microseconds), strict=True))
    figures = {}
    for name, program in programs.items():
        begin(f"Measuring the {name}")
        try:
            figures[name] = program()
        except BenchError as error:
            terminal.show_error(error, f"The {name} is not measured")
    return {name: figure for name, figure in figures.items() if figure is not None}


def _title(run: PlannedRun) -> str:
    return f"{run.name}: {run.connections:,}, {run.in_flight} in flight"


def _complain(samples: dict[PlannedRun, list[Sample]]) -> bool:
    """Say which receipts are wrong; return whether any is."""
    wrong = [
        f"{_title(run)}: {complaint}"
        for run, repeats in samples.items()
        for repeat in repeats
        for complaint in repeat.complaints
    ]
    for complaint in wrong:
        terminal.show_error(complaint, "Wrong receipt")
    return bool(wrong)
