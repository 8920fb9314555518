"""Tokens of a shared secret: by which version of it, and for which reason they are refused."""

from typing import Any

import pytest

from access.claims import ClaimRules
from access.key_errors import KeysError, KeysUnavailableError
from access.key_set import KeySet
from access.key_source import KeySource
from access.refusal import Refusal, RefusedError
from access.secret_verifier import UNKNOWN_SECRET_SECONDS, SecretVerifier, secret_key_set
from tests.support.tokens import AUDIENCE, CLAIMS, ISSUER, NOW, SECRET, signed_rsa, signed_secret

RULES = ClaimRules(issuer=ISSUER, audience=AUDIENCE, needs_scope=True)
SCOPED = CLAIMS | {"scope": "crier:connect"}
OLD, NEW = SECRET + b" of before", SECRET + b" of after"


class _Secret:
    """A secret with two versions, and the verifier that reads it."""

    def __init__(self, current: bytes, previous: bytes | None = None) -> None:
        self.versions = current, previous
        self.seconds = 0.0
        self.warnings: list[Exception] = []
        source = KeySource(
            self._fetch,
            now_seconds=lambda: self.seconds,
            warn=self.warnings.append,
            unknown_seconds=UNKNOWN_SECRET_SECONDS,
        )
        self._verifier = SecretVerifier(RULES, source)

    def _fetch(self) -> KeySet:
        return secret_key_set(*self.versions)

    def refusal(self, given: str) -> Refusal | None:
        """Return why a token is refused, None when it is not."""
        try:
            assert self._verifier.verify(given, NOW).user == "alice"
        except RefusedError as error:
            return error.refusal
        return None


def test_secret_verifies_by_both_of_its_versions() -> None:
    """And by no other one."""
    secret = _Secret(SECRET, OLD)

    refusals = [secret.refusal(signed_secret(SCOPED, secret=one)) for one in (SECRET, OLD, NEW)]

    assert refusals == [None, None, Refusal.SIGNATURE]


def test_secret_takes_no_notice_of_a_key_id() -> None:
    """Some libraries write one; it names no key of ours."""
    secret = _Secret(SECRET, OLD)

    kids: list[Any] = ["AWSPREVIOUS", "other", "x" * 128]

    assert [secret.refusal(signed_secret(SCOPED, kid=kid)) for kid in kids] == [None] * 3


@pytest.mark.parametrize("signed_by", [SECRET, OLD])
@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"exp": NOW - 60}, Refusal.EXPIRED),
        ({"iss": "other"}, Refusal.ISSUER),
        ({"scope": "other"}, Refusal.PURPOSE),
    ],
)
def test_secret_refuses_for_what_the_token_says(
    signed_by: bytes, changes: dict[str, Any], refusal: Refusal
) -> None:
    """The reason is that of the version that fits."""
    secret = _Secret(SECRET, OLD)

    assert secret.refusal(signed_secret(SCOPED | changes, secret=signed_by)) is refusal


def test_secret_refuses_what_is_no_token_of_a_secret() -> None:
    """Without a look at the other version."""
    secret = _Secret(SECRET, OLD)

    assert secret.refusal("a.b") is Refusal.MALFORMED
    assert secret.refusal(signed_rsa()) is Refusal.ALGORITHM


def test_secret_is_read_again_for_a_signature_that_fits_neither_version() -> None:
    """Once a minute, no sooner."""
    secret, rotated = _Secret(SECRET), signed_secret(SCOPED, secret=NEW)
    assert secret.refusal(rotated) is Refusal.SIGNATURE
    secret.versions = NEW, SECRET

    secret.seconds = UNKNOWN_SECRET_SECONDS - 1
    before = secret.refusal(rotated)
    secret.seconds = UNKNOWN_SECRET_SECONDS
    after = [secret.refusal(rotated), secret.refusal(signed_secret(SCOPED))]

    assert (before, after) == (Refusal.SIGNATURE, [None, None])
    assert UNKNOWN_SECRET_SECONDS == 60


def test_secret_that_is_too_short_verifies_nothing() -> None:
    """31 bytes; as the previous version it is passed over."""
    short = b"x" * 31
    secret = _Secret(SECRET, short)

    assert secret.refusal(signed_secret(SCOPED, secret=short)) is Refusal.SIGNATURE
    assert secret.refusal(signed_secret(SCOPED)) is None
    with pytest.raises(KeysUnavailableError):
        _Secret(short).refusal(signed_secret(SCOPED, secret=short))


def test_secret_that_is_rotated_to_one_that_is_too_short_goes_on_as_it_was() -> None:
    """The log is told; clients are not locked out by that slip."""
    secret = _Secret(SECRET)
    assert secret.refusal(signed_secret(SCOPED)) is None
    secret.versions, secret.seconds = (b"short", SECRET), 600.0

    assert secret.refusal(signed_secret(SCOPED)) is None
    (warning,) = secret.warnings
    assert isinstance(warning, KeysError)
    assert "5 bytes, expected 32" in str(warning)
