"""The one permission that a stack needs besides where nothing is replayed."""

import pytest

from crier.deployed.deployment import Deployment
from crier.local.deploy import deploy_locally
from crier.local.local_aws import LocalAws
from tests.permissions.conftest import STRICT_APP
from tests.support.client_life import ClientLife
from tests.support.grants import Grant, Grants
from tests.support.life import RefusedStepError

pytestmark = pytest.mark.timeout(120)

DELETE = Grant("Broadcast", "dynamodb:DeleteItem", "ledger")


@pytest.fixture(scope="module")
def strict(strict_aws: LocalAws) -> Deployment:
    """The app, where clients cannot ask for what they missed."""
    settings: dict[str, str | int] = {"auth": "ticket", "replaySeconds": 0}
    return deploy_locally(strict_aws, lambda _: None, app=STRICT_APP, **settings)


def test_frames_go_with_their_broadcasts(life: ClientLife, grants: Grants) -> None:
    """It is permitted, and no client can ask for a frame of a broadcast that has settled."""
    life.forget_the_frame()

    assert DELETE in grants.all()


def test_deleting_frames_needs_the_permission(life: ClientLife, grants: Grants) -> None:
    """Without it, the frame of a broadcast that has settled is still there."""
    with grants.without(DELETE), pytest.raises(RefusedStepError):
        life.forget_the_frame()
