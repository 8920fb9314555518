"""What tests against servers that are not ours share."""

import pytest

from testbed.stand_in.certificate import ServerCertificate, issue_certificate


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> ServerCertificate:
    """Return a certificate for loopback."""
    return issue_certificate(tmp_path_factory.mktemp("certificate"))
