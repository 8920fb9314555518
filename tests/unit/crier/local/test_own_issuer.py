"""The tokens that the local run signs itself: the authorizer takes them."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest

from access.claims import ClaimRules
from access.key_set import secret_key
from access.refusal import RefusedError
from crier.local.own_issuer import SETTINGS, TOKEN_HOURS, make_secret, token_for
from tests.support.tokens import NOW, verifier
from tests.unit.crier.commands.test_invitation import HERE

if TYPE_CHECKING:
    import boto3

RULES = ClaimRules(issuer=SETTINGS["issuer"], audience=SETTINGS["audience"], needs_scope=True)
SECRET = "s" * 48


class _Secrets:
    """Stands in for the session, and for Secrets Manager."""

    def __init__(self) -> None:
        self.made: dict[str, Any] = {}

    def client(self, *_: object, **__: object) -> "_Secrets":
        return self

    def create_secret(self, **given: str) -> None:
        self.made |= given


@pytest.mark.parametrize("after_seconds", [0, TOKEN_HOURS * 3600 - 1])
def test_authorizer_takes_a_token_of_the_local_run(after_seconds: int) -> None:
    """It has what the mode with a secret asks for, and names the user."""
    key = secret_key(SECRET.encode())
    verify = verifier(RULES, find_key=lambda _algorithm, _key_id: key, is_secret=True).verify

    client = verify(token_for("alice", SECRET, now_seconds=NOW), NOW + after_seconds)

    assert client.user == "alice"


def test_authorizer_refuses_a_token_of_another_run() -> None:
    """Each run has a secret of its own."""
    key = secret_key(b"t" * 48)
    verify = verifier(RULES, find_key=lambda _algorithm, _key_id: key, is_secret=True).verify

    with pytest.raises(RefusedError):
        verify(token_for("alice", SECRET, now_seconds=NOW), NOW)


def test_secret_is_made_anew_for_each_run() -> None:
    """It is long enough for the authorizer, and is written where the deploy says."""
    secrets = _Secrets()
    here = replace(HERE, session=cast("boto3.Session", secrets))

    first, second = make_secret(here), make_secret(here)

    assert first != second
    assert len(second.encode()) >= 32
    assert secrets.made == {"Name": SETTINGS["jwtSecret"], "SecretString": second}
