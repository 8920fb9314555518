"""Verifies a token: its signature by a key that fits it, then what it says."""

from collections.abc import Callable
from typing import Final

from jwt.algorithms import Algorithm, get_default_algorithms

from access.claims import ClaimRules, client_of_claims
from access.client import Client
from access.compact import SignedToken, parse_token
from access.key_set import Key
from access.refusal import Refusal, RefusedError

PUBLIC_KEY_ALGORITHMS: Final = frozenset({"RS256", "ES256"})
SECRET_ALGORITHMS: Final = frozenset({"HS256"})
"""A deploy takes those of one family only: a public key must never pass for a secret."""

_ALGORITHMS: Final[dict[str, Algorithm]] = {
    name: one
    for name, one in get_default_algorithms().items()
    if name in PUBLIC_KEY_ALGORITHMS | SECRET_ALGORITHMS
}

FindKey = Callable[[str, str | None], Key | None]
"""Takes a token's algorithm and the id of its key; returns the key, None when there is none."""


class TokenVerifier:
    """Says whom a token is for. Pure: the time is passed in."""

    def __init__(self, rules: ClaimRules, algorithms: frozenset[str], find_key: FindKey) -> None:
        self._rules = rules
        self._algorithms = algorithms
        self._find_key = find_key

    def verify(self, token: str, now_seconds: int) -> Client:
        """Return the client, at a time in epoch seconds. Raises RefusedError."""
        found = parse_token(token, self._algorithms)
        key = self._find_key(found.algorithm, found.key_id)
        if key is None or key.algorithm != found.algorithm:
            raise RefusedError(Refusal.UNKNOWN_KEY)
        if not _is_signed(found, key):
            raise RefusedError(Refusal.SIGNATURE)
        return client_of_claims(found.claims, self._rules, now_seconds)


def _is_signed(token: SignedToken, key: Key) -> bool:
    return bool(_ALGORITHMS[key.algorithm].verify(token.signed, key.material, token.signature))
