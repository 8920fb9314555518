"""What `python -m bench promises` does: measure each promise in the laboratory, judge, show."""

from collections.abc import Callable, Iterator, Sequence

from bench import result_file, terminal
from bench.errors import BenchError
from bench.paths import RESULTS, shown
from bench.promises.laboratory import Laboratory, open_laboratory
from bench.promises.ledger_writes import checkpoints, closings
from bench.promises.models import models
from bench.promises.outages import outages
from bench.promises.refusals import refusals
from bench.promises.times import dead_addresses, pauses
from bench.promises.write_units import write_units
from bench.target import Target

LATEST = RESULTS / "promises.json"
Measure = Callable[[Laboratory], Iterator[Target]]

_MEASURES: dict[str, Measure] = {
    "closings": closings,
    "checkpoints": checkpoints,
    "pauses": pauses,
    "addresses": dead_addresses,
    "outages": outages,
    "refusals": refusals,
    "units": write_units,
    "models": models,
}


def promises(names: Sequence[str]) -> bool:
    """Measure, show and write; return whether no target is missed.

    With `names`, those only are measured, and what was written before stays. Raises BenchError for
    a name that is not known.
    """
    if unknown := sorted(set(names) - _MEASURES.keys()):
        raise BenchError(f"unknown {unknown[0]}; expected some of {', '.join(_MEASURES)}")
    chosen = names or list(_MEASURES)
    with terminal.progress(1 + len(chosen)) as begin:
        targets = _measure(chosen, begin)
    terminal.show_targets(targets, "Promises")
    if not names:
        result_file.write(LATEST, {"targets": [target.facts() for target in targets]})
        terminal.note(f"Written: {shown(LATEST)}.")
    return all(target.met is not False for target in targets)


def _measure(chosen: Sequence[str], begin: Callable[[str], None]) -> list[Target]:
    targets: list[Target] = []
    with open_laboratory(begin) as laboratory:
        for name in chosen:
            begin(f"Measuring {name}")
            targets += _MEASURES[name](laboratory)
    return targets
