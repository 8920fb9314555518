"""Measures the targets of the promises: `python -m bench.promises`."""

import argparse
import sys
from collections.abc import Callable, Iterator

from bench.promises import terminal
from bench.promises.laboratory import Laboratory, open_laboratory
from bench.promises.ledger_writes import checkpoints, closings
from bench.promises.models import models
from bench.promises.outages import outages
from bench.promises.refusals import refusals
from bench.promises.result import LATEST, Figure, write
from bench.promises.times import dead_addresses, pauses
from bench.promises.write_units import write_units

Measure = Callable[[Laboratory], Iterator[Figure]]

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


def main(arguments: list[str] | None = None) -> int:
    """Measure, show and write; return 1 when a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench.promises", description=__doc__)
    parser.add_argument("only", nargs="*", help=f"some of {', '.join(_MEASURES)}; else all")
    only = parser.parse_args(arguments).only
    if unknown := sorted(set(only) - _MEASURES.keys()):
        parser.error(f"unknown {unknown[0]}; expected some of {', '.join(_MEASURES)}")
    chosen = only or list(_MEASURES)
    with terminal.progress(1 + len(chosen)) as begin:
        figures = _measure(chosen, begin)
    terminal.show(figures)
    if not only:
        write(figures)
        terminal.err.print(f"Written: {LATEST.relative_to(LATEST.parents[2])}.", highlight=False)
    return 0 if all(one.met is not False for one in figures) else 1


def _measure(chosen: list[str], begin: Callable[[str], None]) -> list[Figure]:
    figures: list[Figure] = []
    with open_laboratory(begin) as laboratory:
        for name in chosen:
            begin(f"Measuring {name}")
            figures += _MEASURES[name](laboratory)
    return figures


if __name__ == "__main__":
    sys.exit(main())
