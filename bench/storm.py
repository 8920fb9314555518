"""What `python -m bench storm` does: let a storm rage on a local AWS, and show what came of it."""

import asyncio

from bench import terminal
from bench.errors import BenchError
from bench.target import Limit, Target
from crier.local.deploy import deploy_locally
from crier.local.file_limit import raise_file_limit
from crier.local.local_aws import LocalAws
from testbed.storm.storm import SETTINGS, Storm
from testbed.storm.stormed import Stormed, middle_and_most
from testbed.wire_faults import STARTUP, FaultFile

_FILES_EACH = 2
_SPARE_FILES = 256


def storm(seconds: float, seed: int, clients: int) -> bool:
    """Let a storm rage and show what came of it; return whether every promise was kept.

    Raises BenchError when the system does not allow as many connections.
    """
    files = clients * _FILES_EACH + _SPARE_FILES
    if (allowed := raise_file_limit(files)) < files:
        raise BenchError(f"{files} open files are needed, this system allows {allowed}")
    with terminal.progress(None) as begin, LocalAws(startup=STARTUP) as aws:
        deployment = deploy_locally(aws, begin, **SETTINGS)
        faults = FaultFile(aws.startup_folder)
        one = Storm(deployment, faults, clients=clients, seed=seed, on_step=begin)
        stormed = asyncio.run(one.run(seconds))
    _show(stormed, seed)
    return not stormed.complaints


def _show(stormed: Stormed, seed: int) -> None:
    at_first = stormed.at_first_try
    median, most = middle_and_most([one.seconds for one in at_first])
    waited, _ = middle_and_most([one.waited_seconds for one in at_first])
    figures = {
        "Seed": str(seed),
        "Clients": f"{stormed.clients}",
        "Broadcasts": f"{stormed.broadcasts}",
        "Frames expected": f"{stormed.expected:,}",
        "Frames received": f"{stormed.received:,}",
        "Frames received a second": f"{stormed.frames_per_second:.0f}",
        "Frames posted": f"{stormed.posted:,}",
        "Copies among these": f"{stormed.doubled:,}",
        "Frames replayed": f"{stormed.replayed:,}",
        "Cuts": f"{stormed.cuts}",
        "Reconnects": f"{stormed.reconnects}",
        "Renewals": f"{stormed.renewals}",
        "Workers killed": f"{stormed.killed}",
        "Issuer away": f"{stormed.away_seconds:.0f} s",
        "Tokens asked for in vain": f"{stormed.tokens_in_vain}",
        "Tokens that had expired": f"{stormed.stale_tokens}",
        "Back at the first try": f"{len(at_first)} of {len(stormed.returns)}",
        "From a cut to whole again, median": f"{median:.1f} s",
        "From a cut to whole again, 90 %": f"{most:.1f} s",
        "Of this waited, median": f"{waited:.1f} s",
        "From the last broadcast until all were whole": f"{stormed.whole_seconds:.0f} s",
        "Broken promises": f"{len(stormed.complaints)}",
    }
    columns = {"what": lambda one: one[0], "figure": lambda one: one[1]}
    terminal.show_table("The storm", figures.items(), columns, left=("what",))
    terminal.show_targets(_targets(stormed, median, waited))
    for complaint in stormed.complaints:
        terminal.note(complaint)


def _targets(stormed: Stormed, median: float, waited: float) -> list[Target]:
    """Return what is wanted; how long a return takes depends on the machine, and is no promise."""
    is_measured = bool(stormed.at_first_try)
    return [
        Limit("≤", 0).judge("Promises broken", len(stormed.complaints)),
        Limit("≤", 3, "s").judge("From a cut to whole again", median if is_measured else None),
        Limit("≤", 2, "s").judge("Of this waited", waited if is_measured else None),
    ]
