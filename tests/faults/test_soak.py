"""A minute of the soak, as CI runs it: on its own local AWS, at the usual pace."""

import secrets

import pytest

from crier.local.deploy import deploy_locally
from crier.local.local_aws import LocalAws
from testbed.soak.soak import SETTINGS, Soak
from testbed.wire_faults import STARTUP, FaultFile

SECONDS = 60.0


@pytest.mark.soak
@pytest.mark.timeout(400)
async def test_soak_breaks_no_promise() -> None:
    """Clients churn, broadcasts to every audience run, faults are on: every promise is kept."""
    seed = secrets.randbelow(1_000_000)
    with LocalAws(startup=STARTUP) as aws:
        deployment = deploy_locally(aws, lambda _: None, **SETTINGS)
        soak = Soak(deployment, FaultFile(aws.startup_folder), seed=seed, on_step=lambda _: None)
        soaked = await soak.run(SECONDS)

    assert not soaked.complaints, f"seed {seed}: {soaked.complaints}"
    assert soaked.settled == soaked.broadcasts > 5
    assert sum(soaked.faults.values()) > 0
    assert soaked.reconnects > 0
    assert soaked.replayed > 0
    assert soaked.rows_left == 0
