"""The one permission that a stack with a shared secret needs besides."""

import time

import pytest

from access.claims import CONNECT_SCOPE
from access.key_cache import FAILED_SECONDS
from crier.deployed.deployment import Deployment
from crier.local.deploy import deploy_locally
from crier.local.local_aws import LocalAws
from tests.permissions.conftest import STRICT_APP, root_client
from tests.support.client_life import ClientLife
from tests.support.grants import Grant, Grants
from tests.support.life import RefusedStepError
from tests.support.tokens import AUDIENCE, ISSUER, SECRET, signed_secret

pytestmark = pytest.mark.timeout(120)

READ = Grant("Authorizer", "secretsmanager:GetSecretValue", "secret")


@pytest.fixture(scope="module")
def strict(strict_aws: LocalAws) -> Deployment:
    """The app, where clients need a token that is signed with a secret."""
    secrets = root_client(strict_aws, "secretsmanager")
    secret = secrets.create_secret(Name="crier-tokens", SecretBinary=SECRET)["ARN"]
    token = {"issuer": ISSUER, "audience": AUDIENCE, "jwtSecret": secret}
    return deploy_locally(strict_aws, lambda _: None, app=STRICT_APP, auth="jwt", **token)


def test_reading_the_secret_is_permitted_and_needed(life: ClientLife, grants: Grants) -> None:
    """Without it all clients are refused; the authorizer asks again once it may."""
    claims = {"sub": life.user, "iss": ISSUER, "aud": AUDIENCE, "scope": CONNECT_SCOPE}
    token = signed_secret(claims | {"exp": int(time.time()) + 600})

    with grants.without(READ), pytest.raises(RefusedStepError):
        life.connect_with(token)
    time.sleep(FAILED_SECONDS)

    assert life.connect_with(token)
    assert READ in grants.all()
