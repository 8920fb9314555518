"""What `python -m bench door` does: measure what it costs to be let in, judge, show."""

from bench import result_file, terminal
from bench.door.connects import REPEATS, connects
from bench.door.processor import import_cost, token_cost
from bench.paths import RESULTS, shown

LATEST = RESULTS / "door.json"


def door() -> bool:
    """Measure, show and write; return whether no target is missed."""
    with terminal.progress(3 + REPEATS) as begin:
        begin("Verifying tokens")
        targets = list(token_cost())
        begin("Importing the functions")
        targets += import_cost()
        targets += connects(begin)
    terminal.show_targets(targets, "The door")
    result_file.write(LATEST, {"targets": [target.facts() for target in targets]})
    terminal.note(f"Written: {shown(LATEST)}.")
    return all(target.met is not False for target in targets)
