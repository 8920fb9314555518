"""What `python -m bench scale` does: broadcast once at each size, count, price, judge, show.

The broadcast function's own code runs in this process at the deployed pace: it reads the local
AWS's tables and queues and posts to the stand-in. The rows of a million connections are made when
they are read.
"""

import os
import sys
from collections.abc import Callable, Sequence

import boto3

from bench import terminal
from bench.compare.cores import Cores, pinned
from bench.compare.measure import peak_memory_bytes
from bench.errors import BenchError
from bench.paths import shown
from bench.scale.added_time import CONNECTIONS as ADDED_AT
from bench.scale.added_time import added_seconds
from bench.scale.function_harness import FunctionHarness
from bench.scale.generated_rows import GeneratedRows, usual_ids
from bench.scale.prices import cost_of
from bench.scale.result import RESULT, Added, Broadcast, to_json
from bench.scale.table import show
from bench.scale.targets import judge
from crier.local.local_aws import LocalAws
from testbed.stand_in.behaviour import Behaviour
from testbed.stand_in.process import StandInProcess
from testbed.tables import fill_table, make_tables

SIZES = (3_000, 30_000, 1_000_000)
MOST_IN_TABLE = 30_000


def scale(sizes: Sequence[int]) -> bool:
    """Measure, judge, write and show; return whether no target is missed.

    With `sizes`, those only are measured and printed as JSON, and what was written before stays.
    """
    wanted = sorted(sizes or SIZES)
    with terminal.progress(len(wanted) + (not sizes)) as begin:
        broadcasts, added = _measure(wanted, begin, has_added=not sizes)
    targets = judge(broadcasts, added)
    if sizes:
        sys.stdout.write(to_json(broadcasts, added, targets))
    else:
        RESULT.write_text(to_json(broadcasts, added, targets))
        show(broadcasts)
        terminal.show_targets(targets)
        terminal.note(f"Written to {shown(RESULT)}.")
    return all(target.met is not False for target in targets)


def _measure(
    sizes: Sequence[int], begin: Callable[[str], None], *, has_added: bool
) -> tuple[list[Broadcast], Added | None]:
    cores = Cores.find()
    with (
        pinned(cores.stand_in),
        LocalAws() as local_aws,
        StandInProcess(cpu=cores.stand_in) as stand_in,
        pinned(cores.strategy),
    ):
        os.environ.update(local_aws.endpoint.environment)
        client = boto3.client("dynamodb")
        make_tables(client)
        harness = FunctionHarness(stand_in)
        broadcasts = []
        added = None
        for size in sizes:
            begin(f"{size:,} connections")
            if size <= MOST_IN_TABLE:
                fill_table(client, usual_ids(size))
            else:
                harness.simulate(GeneratedRows(size))
            broadcasts.append(_broadcast(harness, stand_in, size))
            if has_added and size == ADDED_AT:
                begin("what the ledger adds")
                added = Added(*added_seconds(harness))
        return broadcasts, added


def _broadcast(harness: FunctionHarness, stand_in: StandInProcess, size: int) -> Broadcast:
    """Broadcast once, and check that each of `size` connections received it. Raises BenchError."""
    stand_in.behave(Behaviour())
    account, use, seconds = harness.broadcast(f"scale-{size}")
    report = stand_in.report()
    found = (
        account.counts.targeted,
        account.counts.delivered,
        report.connections_reached,
        report.duplicates,
    )
    if found != (size, size, size, 0):
        raise BenchError(
            f"targeted, delivered, reached, duplicates are {found}, "
            f"expected {(size, size, size, 0)}"
        )
    cost = cost_of(use, messages=size, frame_bytes=len(harness.frame))
    return Broadcast(size, round(seconds, 3), peak_memory_bytes(), use, cost)
