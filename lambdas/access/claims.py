"""What a token says, once its signature is known to be right. RFC 7519, 4.1."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from access.client import NOTHING_SAID, Client, client_of
from access.refusal import Refusal, RefusedError

LEEWAY_SECONDS: Final = 30
"""How far the clocks of the issuer and of the function may be apart."""

MOST_AHEAD_SECONDS: Final = 24 * 3600
"""A token that is valid for longer is refused: it would be too much to lose."""

CONNECT_SCOPE: Final = "crier:connect"
"""What a token of a shared secret must say that it is for: the secret may sign other ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRules:
    """What a token must say. `needs_scope` is whether it must be made for connecting."""

    issuer: str
    audience: str
    audience_claim: str = "aud"
    channels_claim: str = "channels"
    needs_scope: bool = False


def client_of_claims(claims: Mapping[str, Any], rules: ClaimRules, now_seconds: int) -> Client:
    """Return the client that a token is for, at a time in epoch seconds. Raises RefusedError."""
    expires_seconds = _expiry(claims, now_seconds)
    for name in ("nbf", "iat"):
        if name in claims and _whole(claims[name]) > now_seconds + LEEWAY_SECONDS:
            raise RefusedError(Refusal.NOT_YET)
    if claims.get("iss") != rules.issuer:
        raise RefusedError(Refusal.ISSUER)
    if not _names(claims.get(rules.audience_claim), rules.audience):
        raise RefusedError(Refusal.AUDIENCE)
    if rules.needs_scope and CONNECT_SCOPE not in _scopes(claims.get("scope")):
        raise RefusedError(Refusal.PURPOSE)
    channels = claims.get(rules.channels_claim, NOTHING_SAID)
    return client_of(claims.get("sub"), channels, expires_seconds)


def _expiry(claims: Mapping[str, Any], now_seconds: int) -> int:
    if "exp" not in claims:
        raise RefusedError(Refusal.EXPIRY)
    expires_seconds = _whole(claims["exp"])
    if expires_seconds + LEEWAY_SECONDS <= now_seconds:
        raise RefusedError(Refusal.EXPIRED)
    if expires_seconds > now_seconds + MOST_AHEAD_SECONDS + LEEWAY_SECONDS:
        raise RefusedError(Refusal.EXPIRY)
    return expires_seconds


def _whole(found: object) -> int:
    """Return a time; only whole seconds are one."""
    if not isinstance(found, int) or isinstance(found, bool):
        raise RefusedError(Refusal.EXPIRY)
    return found


def _names(found: object, expected: str) -> bool:
    """Tell whether an audience, or a list of them, names the one that is expected."""
    return found == expected or (isinstance(found, list) and expected in found)


def _scopes(found: object) -> list[str]:
    return found.split(" ") if isinstance(found, str) else []
