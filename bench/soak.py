"""What `python -m bench soak` does: soak the app on a local AWS, and show what came of it."""

import asyncio

from bench import terminal
from crier.local.deploy import deploy_locally
from crier.local.local_aws import LocalAws
from testbed.soak import Soak, Soaked
from testbed.wire_faults import STARTUP, FaultFile

TIMEOUT_SECONDS = 15


def soak(seconds: float, seed: int) -> bool:
    """Soak for some seconds and show what came of it; return whether every promise was kept."""
    with terminal.progress(None) as begin, LocalAws(startup=STARTUP) as aws:
        deployment = deploy_locally(aws, begin, broadcastTimeoutSeconds=TIMEOUT_SECONDS)
        faults = FaultFile(aws.startup_folder)
        one = Soak(deployment, faults, seed=seed, on_step=begin)
        soaked = asyncio.run(one.run(seconds))
    _show(soaked, seed)
    return not soaked.complaints


def _show(soaked: Soaked, seed: int) -> None:
    figures = {
        "Seed": str(seed),
        "Broadcasts": f"{soaked.broadcasts}",
        "Settled": f"{soaked.settled}",
        "Slowest to settle": f"{soaked.slowest_seconds:.0f} s",
        "Clients connected": f"{soaked.connected}",
        "Clients that left": f"{soaked.left}",
        "Received by those who stayed": f"{soaked.received}",
        "Duplicates among these": f"{soaked.duplicates}",
        **{f"Fault {kind}": f"{count}" for kind, count in sorted(soaked.faults.items())},
        "Broken promises": f"{len(soaked.complaints)}",
    }
    columns = {"what": lambda one: one[0], "figure": lambda one: one[1]}
    terminal.show_table("The soak", figures.items(), columns, left=("what",))
    for complaint in soaked.complaints:
        terminal.note(complaint)
