"""Makes tokens, good ones and forged ones, with keys of the test's own."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from access import base64url
from access.claims import ClaimRules
from access.key_set import KeySet, parse_key_set
from access.verifier import PUBLIC_KEY_ALGORITHMS, SECRET_ALGORITHMS, FindKey, TokenVerifier

NOW = 1_800_000_000
ISSUER, AUDIENCE = "https://issuer.example", "crier"
RULES = ClaimRules(issuer=ISSUER, audience=AUDIENCE)
CLAIMS: dict[str, Any] = {"sub": "alice", "iss": ISSUER, "aud": AUDIENCE, "exp": NOW + 600}
SECRET = b"a secret of thirty-two bytes, or more of them"


@cache
def rsa_key() -> rsa.RSAPrivateKey:
    """Return the issuer's RSA key."""
    return rsa.generate_private_key(public_exponent=65_537, key_size=2_048)


@cache
def ec_key() -> ec.EllipticCurvePrivateKey:
    """Return the issuer's key on P-256."""
    return ec.generate_private_key(ec.SECP256R1())


def rsa_jwk(key: rsa.RSAPrivateKey, **others: Any) -> dict[str, Any]:
    """Return the public part of a key, as a JWKS has it."""
    numbers = key.public_key().public_numbers()
    return {"kty": "RSA", "n": number(numbers.n), "e": number(numbers.e), **others}


def ec_jwk(key: ec.EllipticCurvePrivateKey, **others: Any) -> dict[str, Any]:
    """Return the public part of a key, as a JWKS has it."""
    numbers = key.public_key().public_numbers()
    return {
        "kty": "EC",
        "crv": "P-256",
        "x": base64url.encode(numbers.x.to_bytes(32)),
        "y": base64url.encode(numbers.y.to_bytes(32)),
        **others,
    }


def number(value: int) -> str:
    """Return a number as a JWK writes it."""
    return base64url.encode(value.to_bytes((value.bit_length() + 7) // 8))


def jwks(*keys: Mapping[str, Any]) -> bytes:
    """Return a JWKS document."""
    return json.dumps({"keys": keys}).encode()


@cache
def issuer_keys() -> KeySet:
    """Return the issuer's keys: `rsa` and `ec`."""
    return parse_key_set(jwks(rsa_jwk(rsa_key(), kid="rsa"), ec_jwk(ec_key(), kid="ec")))


def verifier(
    rules: ClaimRules = RULES, *, find_key: FindKey | None = None, is_secret: bool = False
) -> TokenVerifier:
    """Return a verifier, of the issuer's public keys unless others are given."""
    algorithms = SECRET_ALGORITHMS if is_secret else PUBLIC_KEY_ALGORITHMS
    return TokenVerifier(rules, algorithms, find_key or issuer_keys().find)


def segment(value: object) -> str:
    """Return a header or claims as a part of a token; bytes stand for themselves."""
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64url.encode(data)


def token(header: object, claims: object, signature: bytes) -> str:
    """Return a token of these parts."""
    return f"{segment(header)}.{segment(claims)}.{base64url.encode(signature)}"


def signed_rsa(
    claims: object = CLAIMS, *, key: rsa.RSAPrivateKey | None = None, **header: Any
) -> str:
    """Return a token that is signed with RS256; `header` is added to the usual one."""
    full = {"alg": "RS256", "kid": "rsa", **header}
    text = f"{segment(full)}.{segment(claims)}".encode()
    return token(full, claims, (key or rsa_key()).sign(text, PKCS1v15(), SHA256()))


def signed_ec(claims: object = CLAIMS, **header: Any) -> str:
    """Return a token that is signed with ES256."""
    full = {"alg": "ES256", "kid": "ec", **header}
    return token(full, claims, ec_signature(full, claims))


def ec_signature(header: object, claims: object) -> bytes:
    """Return a signature on P-256, r and s in 32 bytes each."""
    text = f"{segment(header)}.{segment(claims)}".encode()
    r, s = decode_dss_signature(ec_key().sign(text, ec.ECDSA(SHA256())))
    return r.to_bytes(32) + s.to_bytes(32)


def signed_secret(claims: object = CLAIMS, *, secret: bytes = SECRET, **header: Any) -> str:
    """Return a token that is signed with HS256, by a secret or by what is taken for one."""
    full = {"alg": "HS256", **header}
    text = f"{segment(full)}.{segment(claims)}".encode()
    return token(full, claims, hmac.digest(secret, text, hashlib.sha256))
