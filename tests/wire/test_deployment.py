"""Finding a deployed stack over a network that does not answer."""

from collections.abc import Iterator
from contextlib import ExitStack

import boto3
import pytest

from crier.deployed import deployment
from crier.deployed.deployment import find
from crier.errors import CrierError
from tests.support.loopback import swallowing_port, unused_port


@pytest.fixture(params=["closed", "silent"])
def port(request: pytest.FixtureRequest) -> Iterator[int]:
    """Return a port that refuses connections, or one that answers no attempt to connect."""
    with ExitStack() as stack:
        yield unused_port() if request.param == "closed" else stack.enter_context(swallowing_port())


def test_deployment_says_to_look_at_the_network_when_aws_cannot_be_reached(
    monkeypatch: pytest.MonkeyPatch, port: int
) -> None:
    """The error has the endpoint, and what to check; it does not come after minutes."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setattr(deployment._CONFIG, "connect_timeout", 0.2)
    session = boto3.Session("test", "test", region_name="us-east-1")
    url = f"http://127.0.0.1:{port}"

    with pytest.raises(CrierError) as caught:
        find("crier-prod", session, url)

    assert url in str(caught.value)
    assert str(caught.value).endswith("and --region, and that this machine reaches AWS")
