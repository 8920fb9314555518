"""One local AWS for all tests of this folder; the app is deployed once, where a test needs it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from bench.stand_in.behaviour import Behaviour
from bench.stand_in.reaction import Script
from bench.stand_in.server import StandIn
from crier.deployment import Deployment, deploy_locally
from crier.local_aws import LocalAws
from crier.worker_site.wire_faults import FaultFile
from tests.faults.app import App, make_app
from tests.local.function_logs import Logs

TIMEOUT_SECONDS = 15
"""Of the deployed function: four seconds to post, and a lease that runs out soon."""

Behave = Callable[[Behaviour | Script], StandIn]


@pytest.fixture(scope="session")
def local_aws() -> Iterator[LocalAws]:
    """A running local AWS, whose broadcast function suffers the faults that a test asks for."""
    with LocalAws(has_faults=True) as aws:
        yield aws


@pytest.fixture(scope="session")
def deployment(local_aws: LocalAws) -> Deployment:
    """The app, deployed by the real CDK CLI; it posts so slowly that it can be disturbed."""
    return deploy_locally(
        local_aws,
        lambda _: None,
        broadcastTimeoutSeconds=TIMEOUT_SECONDS,
        postsPerSecond=20,
        postBurst=10,
    )


@pytest.fixture
def logs(local_aws: LocalAws) -> Logs:
    """The functions' lines so far."""
    return Logs(local_aws.logs)


@pytest.fixture
def faults(local_aws: LocalAws) -> Iterator[FaultFile]:
    """The faults of the deployed function; none after the test."""
    file = FaultFile(local_aws.faults)
    yield file
    file.set()


@pytest.fixture
def app(local_aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> App:
    """The function's code in this process, with tables and queues of its own."""
    for name, value in local_aws.endpoint.environment.items():
        monkeypatch.setenv(name, value)
    return make_app(local_aws)


@pytest.fixture
def stand_in(app: App, monkeypatch: pytest.MonkeyPatch) -> Iterator[Behave]:
    """Starts an `@connections` that behaves as it is told, and has the app post to it."""
    with ExitStack() as stack:

        def behave(behaviour: Behaviour | Script) -> StandIn:
            script = behaviour.script() if isinstance(behaviour, Behaviour) else behaviour
            one = stack.enter_context(StandIn(script, tls=None))
            for name, value in app.environment(one.url).items():
                monkeypatch.setenv(name, value)
            return one

        yield behave
