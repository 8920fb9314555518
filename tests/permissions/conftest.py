"""A local AWS that verifies signatures and enforces policies, with the app deployed to it."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from crier.deployed.deployment import Deployment
from crier.local.deploy import deploy_locally, local_session
from crier.local.local_aws import LocalAws
from tests.support.client_life import ClientLife
from tests.support.grants import Grants
from tests.support.life import resource_names

STRICT_APP = "-m tests.support.strict_app"


@pytest.fixture(scope="package")
def strict_aws() -> Iterator[LocalAws]:
    """A running local AWS that enforces permissions."""
    with ExitStack() as opened:
        with (
            pytest.MonkeyPatch.context() as patch
        ):  # for the start alone: others shall enforce none
            patch.setenv("AUTH", "true")
            aws = opened.enter_context(LocalAws())
        yield aws


def root_client(aws: LocalAws, service: Any) -> Any:
    """Return a client that may do everything."""
    return local_session().client(service, endpoint_url=aws.endpoint.url)


@pytest.fixture(scope="module")
def strict(strict_aws: LocalAws) -> Deployment:
    """The app by the real CDK: a client needs a ticket, and its user must not be denied.

    The broadcast function has little time, in which it asks again for what it is refused.
    """
    settings: dict[str, str | int] = {
        "auth": "ticket",
        "denyList": "true",
        "broadcastTimeoutSeconds": 15,
    }
    return deploy_locally(strict_aws, lambda _: None, app=STRICT_APP, **settings)


@pytest.fixture(scope="module")
def grants(strict: Deployment) -> Grants:
    """What the functions may do."""
    return Grants(strict, resource_names(strict))


@pytest.fixture
def life(strict: Deployment, strict_aws: LocalAws) -> Iterator[ClientLife]:
    """The steps of broadcasts and clients; what a step leaves in the queues is taken out."""
    with ExitStack() as opened:
        yield ClientLife(strict, strict_aws.logs, opened)
