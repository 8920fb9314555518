"""A short storm, as CI runs it: on its own local AWS, with fewer clients."""

import secrets

import pytest

from crier.local.deploy import deploy_locally
from crier.local.local_aws import LocalAws
from testbed.storm.storm import SETTINGS, Storm
from testbed.wire_faults import STARTUP, FaultFile

CLIENTS = 60
SECONDS = 35.0


@pytest.mark.soak
@pytest.mark.timeout(600)
async def test_storm_loses_doubles_and_swaps_no_frame() -> None:
    """Clients are cut, workers killed, the issuer is away: each has each frame once, in order."""
    seed = secrets.randbelow(1_000_000)
    with LocalAws(startup=STARTUP) as aws:
        deployment = deploy_locally(aws, lambda _: None, **SETTINGS)
        faults = FaultFile(aws.startup_folder)
        storm = Storm(deployment, faults, clients=CLIENTS, seed=seed, on_step=lambda _: None)
        stormed = await storm.run(SECONDS)

    assert not stormed.complaints, f"seed {seed}: {stormed.complaints}"
    assert stormed.received == stormed.expected > CLIENTS
    assert stormed.reconnects > 0
    assert stormed.replayed > 0
    assert stormed.killed > 0
    assert stormed.tokens_in_vain > 0
