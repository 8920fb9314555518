"""What tests at the wire share."""

import gc
from collections.abc import Iterator

import pytest

from broadcasting import breaker
from testbed.stand_in.certificate import ServerCertificate, issue_certificate
from tests.support.http2_posting import Start, starting


@pytest.fixture(scope="module", autouse=True)
def no_long_collections() -> None:
    """Let a collection pass over what earlier tests hold: to walk it stops all for a second."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def hasty_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the breaker probe for a second only, where the waiting is not the point."""
    monkeypatch.setattr(breaker, "PROBES_AT_SECONDS", (0.0, 0.02, 0.06, 0.14, 0.3, 0.6))
    monkeypatch.setattr(breaker, "PROBING_SECONDS", 1.0)


@pytest.fixture(scope="session")
def loopback_certificate(tmp_path_factory: pytest.TempPathFactory) -> ServerCertificate:
    """Return a certificate for loopback."""
    return issue_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def http2(loopback_certificate: ServerCertificate) -> Iterator[Start]:
    """Return what starts a hostile HTTP/2 server, and makes a fan-out to it."""
    with starting(loopback_certificate) as start:
        yield start
