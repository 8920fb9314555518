"""The environment of a local run."""

import os

import pytest

from crier.local.environment import clean_environment
from crier.paths import PROGRAMS


def test_environment_leads_to_no_real_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    """What could lead to a real AWS is taken out, and our programs come first."""
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA")
    monkeypatch.setenv("PATH", "/usr/bin")

    environment = clean_environment()

    assert {name: value for name, value in environment.items() if name.startswith("AWS_")} == {
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
    assert environment["PATH"] == f"{PROGRAMS}{os.pathsep}/usr/bin"


@pytest.mark.parametrize(
    ("given", "direct"),
    [
        ({}, "127.0.0.1"),
        ({"NO_PROXY": "example.com"}, "example.com,127.0.0.1"),
        ({"no_proxy": "example.com", "NO_PROXY": "example.org"}, "example.com,127.0.0.1"),
    ],
)
def test_environment_keeps_the_local_aws_from_proxies(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], direct: str
) -> None:
    """No proxy stands between us and our own machine; the hosts that were excepted still are."""
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)

    environment = clean_environment()

    assert (environment["no_proxy"], environment["NO_PROXY"]) == (direct, direct)
