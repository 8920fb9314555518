"""`crier probe` of the app on the local AWS: the URL of its stack, and who may ask."""

import json
from collections.abc import Callable
from functools import partial

import pytest
from typer.testing import Result

from crier.deployed.deployment import Deployment
from crier.local.local_aws import ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY

pytestmark = pytest.mark.timeout(120)

Run = Callable[..., Result]


@pytest.fixture
def run(run_crier: Run) -> Run:
    """Runs the command, which finds the local AWS of the tests."""
    return partial(run_crier, "probe")


def test_probe_finds_the_local_run_in_cleartext(deployment: Deployment, run: Run) -> None:
    """HTTP/1.1, and no connection of that id: as it should be."""
    done = run()

    assert done.exit_code == 0
    assert deployment.callback_url in done.stdout
    assert "HTTP/1.1, in cleartext: HTTP/2 is offered in TLS only" in done.stdout
    assert "410" in done.stdout
    assert "gone, as it should be" in done.stdout


def test_probe_takes_the_url_of_a_stage(
    deployment: Deployment, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the credentials of the environment, as JSON."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY_ID)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY)
    url = deployment.callback_url

    done = run(url, "--region", REGION, "--json")

    told = json.loads(done.stdout)
    assert done.exit_code == 0
    assert (told["url"], told["protocol"], told["tls"], told["limits"]) == (
        *(url, "http/1.1"),
        *(None, None),
    )
    assert (told["status"], told["is_well"]) == (410, True)
