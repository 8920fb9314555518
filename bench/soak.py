"""Soak the app on a local AWS: `python -m bench.soak --seconds 300 --seed 1`.

Exit status 1 when a promise was broken.
"""

import argparse
import asyncio
import secrets
import sys

from crier.paths import LAMBDAS

sys.path.append(str(LAMBDAS))  # the rules of broadcasting, as `python -m crier` does

from crier import terminal
from crier.local.deploy import deploy_locally
from crier.local.local_aws import LocalAws
from testbed.soak import Soak, Soaked
from testbed.wire_faults import STARTUP, FaultFile

TIMEOUT_SECONDS = 15


def main(arguments: list[str] | None = None) -> int:
    """Run it; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000))
    options = parser.parse_args(arguments)
    with terminal.progress() as bars, LocalAws(startup=STARTUP) as aws:
        task = bars.add_task("", total=None)
        deployment = deploy_locally(
            aws,
            lambda step: bars.update(task, description=step),
            broadcastTimeoutSeconds=TIMEOUT_SECONDS,
        )
        soak = Soak(
            deployment,
            FaultFile(aws.startup_folder),
            seed=options.seed,
            on_step=lambda step: bars.update(task, description=step),
        )
        soaked = asyncio.run(soak.run(options.seconds))
    show(soaked, options.seed)
    return 1 if soaked.complaints else 0


def show(soaked: Soaked, seed: int) -> None:
    """Print the summary."""
    figures = {
        "Seed": seed,
        "Broadcasts": soaked.broadcasts,
        "Settled": soaked.settled,
        "Slowest to settle": f"{soaked.slowest_seconds:.0f} s",
        "Clients connected": soaked.connected,
        "Clients that left": soaked.left,
        "Received by those who stayed": soaked.received,
        "Duplicates among these": soaked.duplicates,
        **{f"Fault {kind}": count for kind, count in sorted(soaked.faults.items())},
        "Broken promises": len(soaked.complaints),
    }
    for name, value in figures.items():
        terminal.show_line(f"{name:<30} {value:>10}")
    for complaint in soaked.complaints:
        terminal.note(complaint)


if __name__ == "__main__":
    sys.exit(main())
