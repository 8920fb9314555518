"""Finding a deployed stack: what its user is told when it is not there."""

import os
from pathlib import Path

import pytest

from crier.deployed.deployment import find_deployed
from crier.errors import CrierError


@pytest.fixture
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing be known of any AWS account: no Region, no credentials, no files."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.mark.usefixtures("account")
def test_deployment_names_the_option_when_the_profile_is_unknown() -> None:
    """A profile that is not there is an error that names it and the option."""
    with pytest.raises(CrierError) as caught:
        find_deployed("crier-prod", "nobody", None)

    assert "nobody" in str(caught.value)
    assert "--profile" in str(caught.value)


@pytest.mark.usefixtures("account")
def test_deployment_names_the_option_when_no_region_is_known() -> None:
    """Without a Region the error says so, and which option names it."""
    with pytest.raises(CrierError) as caught:
        find_deployed("crier-prod", None, None)

    assert "You must specify a region; check" in str(caught.value)
    assert "--region" in str(caught.value)


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize("variable", ["AWS_REGION", "AWS_DEFAULT_REGION"])
def test_deployment_takes_the_region_from_either_variable(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """A Region in either variable suffices: what is missing then is credentials."""
    monkeypatch.setenv(variable, "eu-central-1")

    with pytest.raises(CrierError, match="Unable to locate credentials; check"):
        find_deployed("crier-prod", None, None)
