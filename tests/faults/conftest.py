"""One local AWS for all tests of this folder; the app is deployed once, where a test needs it."""

import gc
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.retries.standard import ExponentialBackoff

from broadcasting import breaker
from broadcasting.retry import Backoff
from crier.deployed.deployment import Deployment
from crier.local.deploy import deploy_locally
from crier.local.local_aws import LocalAws
from delivery import selector_fan_out
from testbed.function.app import App, make_app
from testbed.function.hostile import Hostile, Outage
from testbed.function.names import Names
from testbed.function.proxy import Proxy
from testbed.stand_in.behaviour import Behaviour
from testbed.stand_in.behaviour_script import BehaviourScript
from testbed.stand_in.reaction import Script
from testbed.stand_in.server import StandIn
from testbed.wire_faults import STARTUP, FaultFile
from tests.support.function_logs import Logs

TIMEOUT_SECONDS = 15
"""Of the deployed function: four seconds to post, and a lease that runs out soon."""

Behave = Callable[[Behaviour | Script], StandIn]
Suffer = Callable[..., Hostile]
"""Takes an outage and what `Hostile` takes."""


@pytest.fixture(scope="session")
def local_aws() -> Iterator[LocalAws]:
    """A running local AWS, whose broadcast function suffers the faults that a test asks for."""
    with LocalAws(startup=STARTUP) as aws:
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
    file = FaultFile(local_aws.startup_folder)
    yield file
    file.set()


@pytest.fixture
def app(local_aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> Iterator[App]:
    """The function's code in this process, with tables and queues of its own."""
    for name, value in local_aws.endpoint.environment.items():
        monkeypatch.setenv(name, value)
    made = make_app(local_aws)
    with made.log, made.resources:
        yield made
    gc.unfreeze()


@pytest.fixture
def aws_wire(app: App, local_aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """What stands between the function and the local AWS: a freeze kills its connections."""
    with Proxy(urlsplit(local_aws.endpoint.url).port or 0) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        app.time.when_frozen.append(proxy.kill)
        yield proxy


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    """Names whose addresses a test says."""
    names = Names()
    names.patch(monkeypatch)
    return names


@pytest.fixture
def post_to(app: App, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Has the app post to a URL."""

    def post_to(url: str) -> None:
        for name, value in app.environment(url).items():
            monkeypatch.setenv(name, value)

    return post_to


@pytest.fixture
def quick_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has breakers probe for 0.6 s in place of 6 s, where it is not that time that is tested."""
    monkeypatch.setattr(breaker, "PROBING_SECONDS", breaker.PROBING_SECONDS / 10)
    at_seconds = tuple(seconds / 10 for seconds in breaker.PROBES_AT_SECONDS)
    monkeypatch.setattr(breaker, "PROBES_AT_SECONDS", at_seconds)


@pytest.fixture
def quick_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has posts tried again a tenth as late, where it is not the backoff that is tested."""
    monkeypatch.setattr(selector_fan_out, "Backoff", partial(Backoff, 5, 0.01, 0.2))


@pytest.fixture
def quick_aws_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has botocore try again a tenth as late."""
    usual = ExponentialBackoff.delay_amount

    def delay_amount(backoff: ExponentialBackoff, context: Any) -> float:
        return usual(backoff, context) / 10

    monkeypatch.setattr(ExponentialBackoff, "delay_amount", delay_amount)


@pytest.fixture
def stand_in(post_to: Callable[[str], None]) -> Iterator[Behave]:
    """Starts an `@connections` that behaves as it is told, and has the app post to it."""
    with ExitStack() as stack:

        def behave(behaviour: Behaviour | Script) -> StandIn:
            script = BehaviourScript(behaviour) if isinstance(behaviour, Behaviour) else behaviour
            one = stack.enter_context(StandIn(script, tls=None))
            post_to(one.url)
            return one

        yield behave


@pytest.fixture
def hostile(app: App, names: Names, post_to: Callable[[str], None]) -> Iterator[Suffer]:
    """Starts an `@connections` that suffers an outage, and has the app post to it."""
    with ExitStack() as stack:

        def suffer(outage: Outage, **options: Any) -> Hostile:
            one = Hostile(outage, app.time, **options)
            names.when_dialled.append(one.dialled)
            app.time.when_frozen.append(one.forget)
            stack.enter_context(one)
            post_to(one.url)
            return one

        yield suffer
