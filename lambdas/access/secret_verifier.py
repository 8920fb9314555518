"""Verifies tokens by a secret that is shared with the issuer, also while it is rotated.

A secret has two versions in Secrets Manager: AWSCURRENT, and AWSPREVIOUS once it has been rotated.
Both verify, so that no token of before the rotation is refused. A secret that has leaked is
therefore rotated twice: until then the leaked one verifies as the previous one.

A function keeps both for 10 minutes. A token that neither fits has them read again, once a minute
at most: so a token of the new secret is refused for a minute at most, and only where the function
has looked in vain just before.
"""

from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from access.claims import ClaimRules
from access.client import Client
from access.key_errors import KeysError
from access.key_set import Key, KeySet, secret_key
from access.key_source import KeySource
from access.refusal import Refusal, RefusedError
from access.verifier import SECRET_ALGORITHMS, TokenVerifier

UNKNOWN_SECRET_SECONDS: Final = 60.0
"""For a signature that fits no secret, the secret is read once in this time."""

ALGORITHM: Final = "HS256"
CURRENT, PREVIOUS = "AWSCURRENT", "AWSPREVIOUS"
"""https://docs.aws.amazon.com/secretsmanager/latest/userguide/whats-in-a-secret.html"""


def secret_key_set(current: bytes, previous: bytes | None) -> KeySet:
    """Return both versions of a secret as keys. Raises KeysError when the current is too short.

    A previous one that is too short verifies nothing: it is passed over.
    """
    keys = {CURRENT: secret_key(current)}
    with suppress(KeysError):
        keys |= {} if previous is None else {PREVIOUS: secret_key(previous)}
    return KeySet(keys.items())


class SecretVerifier:
    """Says whom a token is for, by the versions of a secret. A token's `kid` says nothing here."""

    def __init__(self, rules: ClaimRules, source: KeySource) -> None:
        self._rules = rules
        self._source = source

    def verify(self, token: str, now_seconds: int) -> Client:
        """Return the client. Raises RefusedError, and KeysUnavailableError without a secret."""
        for key in self._keys():
            try:
                return self._verifier_by(key).verify(token, now_seconds)
            except RefusedError as error:
                if error.refusal is not Refusal.SIGNATURE:
                    raise
        raise RefusedError(Refusal.SIGNATURE)

    def _verifier_by(self, key: Key) -> TokenVerifier:
        return TokenVerifier(self._rules, SECRET_ALGORITHMS, lambda _algorithm, _key_id: key)

    def _keys(self) -> Iterator[Key]:
        """Yield what may fit, the likeliest first; what was read anew only if nothing else did."""
        current = self._source.find(ALGORITHM, CURRENT)
        yield from filter(None, (current, self._source.known(ALGORITHM, PREVIOUS)))
        if self._source.refresh_for_unknown():
            yield from filter(None, (self._source.known(ALGORITHM, CURRENT),))
