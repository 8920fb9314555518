"""What `python -m bench soak` does: soak the app on a local AWS, and show what came of it."""

import asyncio

from bench import terminal
from crier.local.deploy import deploy_locally
from crier.local.local_aws import LocalAws
from testbed.soak.soak import SETTINGS, Soak
from testbed.soak.soaked import Soaked
from testbed.wire_faults import STARTUP, FaultFile


def soak(seconds: float, seed: int) -> bool:
    """Soak for some seconds and show what came of it; return whether every promise was kept."""
    with terminal.progress(None) as begin, LocalAws(startup=STARTUP) as aws:
        deployment = deploy_locally(aws, begin, **SETTINGS)
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
        "Reconnects": f"{soaked.reconnects}",
        "Frames posted to clients": f"{soaked.received}",
        "Duplicates among these": f"{soaked.duplicates}",
        "Frames replayed": f"{soaked.replayed}",
        "Times lost": f"{soaked.lost}",
        "Excluded": f"{soaked.excluded}",
        "Rows that broadcasts deleted at last": f"{soaked.rows_swept}",
        "Rows that only expiry deletes": f"{soaked.rows_kept}",
        "Rows left": f"{soaked.rows_left}",
        "Marks under five minutes": f"{soaked.marks}",
        **{f"Fault {kind}": f"{count}" for kind, count in sorted(soaked.faults.items())},
        "Broken promises": f"{len(soaked.complaints)}",
    }
    columns = {"what": lambda one: one[0], "figure": lambda one: one[1]}
    terminal.show_table("The soak", figures.items(), columns, left=("what",))
    for complaint in soaked.complaints:
        terminal.note(complaint)
