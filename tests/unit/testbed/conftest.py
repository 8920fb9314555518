"""What tests of the stand-in share: certificates, which take long to make."""

import pytest

from testbed.stand_in.certificate import ServerCertificate, issue_certificate


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> ServerCertificate:
    """Return a certificate for loopback."""
    return issue_certificate(tmp_path_factory.mktemp("certificate"))
