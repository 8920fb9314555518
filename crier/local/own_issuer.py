"""Tokens of the local run's own, to try out auth=jwt without an issuer.

They are signed with a secret (HS256) that is made anew for each run, in the local AWS.
"""

import hashlib
import hmac
import json
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from typing import Final

from crier.deployed.deployment import Deployment

SETTINGS: Final[Mapping[str, str]] = {
    "issuer": "https://local.crier.invalid",
    "audience": "crier",
    "jwtSecret": "crier/tokens",
}
"""The deploy settings that make these tokens the ones that are let in."""

TOKEN_HOURS: Final = 12
"""How long a token lets clients in: half of what the authorizer takes."""

_SECRET_BYTES = 48


def make_secret(deployment: Deployment) -> str:
    """Write a new secret to the local AWS; return its text."""
    secret = secrets.token_urlsafe(_SECRET_BYTES)
    name = SETTINGS["jwtSecret"]
    deployment.client("secretsmanager").create_secret(Name=name, SecretString=secret)
    return secret


def token_for(user: str, secret: str, *, now_seconds: int) -> str:
    """Return a token with which clients may connect as a user from now on."""
    claims = {
        "sub": user,
        "iss": SETTINGS["issuer"],
        "aud": SETTINGS["audience"],
        "iat": now_seconds,
        "exp": now_seconds + TOKEN_HOURS * 3600,
        "scope": "crier:connect",
    }
    signed = f"{_part({'alg': 'HS256', 'typ': 'JWT'})}.{_part(claims)}"
    digest = hmac.digest(secret.encode(), signed.encode(), hashlib.sha256)
    return f"{signed}.{_text(digest)}"


def _part(fields: Mapping[str, object]) -> str:
    return _text(json.dumps(fields, separators=(",", ":")).encode())


def _text(content: bytes) -> str:
    return urlsafe_b64encode(content).decode().rstrip("=")
