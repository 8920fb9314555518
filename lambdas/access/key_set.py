"""The public keys of an issuer, as its JWKS document has them. RFC 7517; RFC 7518, 6.

A key's kind decides what it verifies, never a token's header. Keys that are of another kind, weak,
private, or meant for something else are passed over.
"""

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePublicKey,
    EllipticCurvePublicNumbers,
)
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers

from access import base64url
from access.compact import MOST_KEY_ID, read_object
from access.key_errors import KeysError

MOST_BYTES: Final = 64 * 1024
MOST_KEYS: Final = 100
LEAST_SECRET_BYTES: Final = 32
"""A shared secret has as many bits as its hash at least: RFC 7518, 3.2."""

_RSA_BITS: Final = range(2_048, 8_192 + 1)
_EXPONENTS: Final = range(65_537, 2**32)
_COORDINATE_BYTES: Final = 32


class Key(NamedTuple):
    """A key, and the one algorithm that it is for."""

    algorithm: str
    material: RSAPublicKey | EllipticCurvePublicKey | bytes


class KeySet:
    """The keys of an issuer, each with its id; some have none."""

    def __init__(self, keys: Iterable[tuple[str | None, Key]]) -> None:
        self._keys = tuple(keys)

    def __len__(self) -> int:
        """Return how many keys can be used."""
        return len(self._keys)

    def find(self, algorithm: str, key_id: str | None) -> Key | None:
        """Return the key of that id, the first if there are several, None if there is none.

        A token need not name its key where there is only one for its algorithm.
        """
        fitting = [(own_id, key) for own_id, key in self._keys if key.algorithm == algorithm]
        if key_id is None:
            return fitting[0][1] if len(fitting) == 1 else None
        return next((key for own_id, key in fitting if own_id == key_id), None)


def parse_key_set(data: bytes) -> KeySet:
    """Read a JWKS document. Raises KeysError when it has no key that can be used."""
    if len(data) > MOST_BYTES:
        raise KeysError(f"the key set has over {MOST_BYTES} bytes, expected no more")
    try:
        found = read_object(data.decode("utf-8")).get("keys")
    except ValueError as error:
        raise KeysError(f"the key set is no JSON object: {error}") from error
    if not isinstance(found, list) or len(found) > MOST_KEYS:
        raise KeysError(f"the key set has no list `keys` of up to {MOST_KEYS} keys")
    keys = [
        (one.get("kid"), key) for one in found if isinstance(one, dict) and (key := _key_of(one))
    ]
    if not keys:
        raise KeysError(f"none of {len(found)} keys is a public key for RS256 or ES256")
    return KeySet(keys)


def secret_key(secret: bytes) -> Key:
    """Return a shared secret as a key for HS256. Raises KeysError when it is too short."""
    if len(secret) < LEAST_SECRET_BYTES:
        raise KeysError(
            f"the secret has {len(secret)} bytes, expected {LEAST_SECRET_BYTES} or more"
        )
    return Key("HS256", secret)


def _key_of(jwk: dict[str, Any]) -> Key | None:
    """Return a key that can be used, None for any other."""
    if not _is_id(jwk.get("kid")) or "d" in jwk or jwk.get("use", "sig") != "sig":
        return None
    uses = jwk.get("key_ops", ["verify"])
    if not isinstance(uses, list) or "verify" not in uses:
        return None
    key = {"RSA": _rsa_key, "EC": _curve_key}.get(str(jwk.get("kty")), _no_key)(jwk)
    return key if key and jwk.get("alg", key.algorithm) == key.algorithm else None


def _is_id(found: object) -> bool:
    return found is None or (isinstance(found, str) and 1 <= len(found) <= MOST_KEY_ID)


def _no_key(_jwk: dict[str, Any]) -> Key | None:
    return None


def _rsa_key(jwk: dict[str, Any]) -> Key | None:
    modulus, exponent = _number(jwk.get("n")), _number(jwk.get("e"))
    if modulus.bit_length() not in _RSA_BITS or exponent not in _EXPONENTS:
        return None
    try:
        return Key("RS256", RSAPublicNumbers(exponent, modulus).public_key())
    except ValueError:  # an even exponent
        return None


def _curve_key(jwk: dict[str, Any]) -> Key | None:
    x, y = (base64url.decode(str(jwk.get(name))) or b"" for name in "xy")
    if jwk.get("crv") != "P-256" or len(x) != _COORDINATE_BYTES or len(y) != _COORDINATE_BYTES:
        return None
    numbers = EllipticCurvePublicNumbers(int.from_bytes(x), int.from_bytes(y), SECP256R1())
    try:
        return Key("ES256", numbers.public_key())
    except ValueError:  # a point that is not on the curve
        return None


def _number(found: object) -> int:
    """Return a number that is written as its bytes, 0 for what is none."""
    return int.from_bytes(base64url.decode(found) or b"") if isinstance(found, str) else 0
