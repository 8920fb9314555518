"""Keys of an issuer: which can be used, and which are passed over."""

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from access.key_errors import KeysError
from access.key_set import (
    LEAST_SECRET_BYTES,
    MOST_BYTES,
    MOST_KEYS,
    parse_key_set,
    secret_key,
)
from tests.support.tokens import ec_jwk, ec_key, jwks, number, rsa_jwk, rsa_key

GOOD = rsa_jwk(rsa_key(), kid="good")


def _found(*keys: dict[str, Any]) -> int:
    """Return how many of some keys can be used, besides a good one."""
    return len(parse_key_set(jwks(GOOD, *keys))) - 1


def test_key_set_knows_keys_of_both_kinds_by_their_ids() -> None:
    """One id may name a key of each kind."""
    keys = parse_key_set(jwks(GOOD, ec_jwk(ec_key(), kid="good", use="sig", alg="ES256")))

    found = [keys.find(algorithm, "good") for algorithm in ("RS256", "ES256", "HS256")]

    assert [key.algorithm if key else None for key in found] == ["RS256", "ES256", None]
    assert keys.find("RS256", "other") is None


def test_key_set_keeps_the_first_of_two_keys_with_one_id() -> None:
    """Ids are unique: RFC 7517, 4.5."""
    other = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)

    found = parse_key_set(jwks(GOOD, rsa_jwk(other, kid="good"))).find("RS256", "good")

    assert found
    assert isinstance(found.material, rsa.RSAPublicKey)
    assert number(found.material.public_numbers().n) == GOOD["n"]


@pytest.mark.parametrize("kid", [{}, {"kid": "good"}, {"kid": "other"}])
def test_key_set_of_several_keys_finds_none_for_a_token_that_names_none(
    kid: dict[str, str],
) -> None:
    """Whichever comes first must not decide, also where the keys have no ids, or the same one."""
    other = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    first = {name: value for name, value in GOOD.items() if kid or name != "kid"}

    keys = parse_key_set(jwks(first, rsa_jwk(other, **kid)))

    assert keys.find("RS256", None) is None


@pytest.mark.parametrize(
    "changes",
    [
        *({"use": "enc"}, {"key_ops": ["sign"]}, {"key_ops": "verify"}, {"alg": "RS512"}),
        *({"alg": "HS256"}, {"d": "AQAB"}, {"kty": "oct"}, {"kty": None}, {"kid": 7}, {"kid": ""}),
        *({"kid": "x" * 129}, {"n": ""}, {"n": 7}, {"n": "A" * 43}, {"e": "AQ"}, {"e": "Aw"}),
        *({"e": number(65_538)}, {"e": number(2**40 + 1)}, {"n": GOOD["n"] + "="}),
        {"n": number(2**9_000 + 1)},
    ],
)
def test_key_set_passes_over_a_key_that_is_weak_or_for_something_else(
    changes: dict[str, Any],
) -> None:
    """The others are used."""
    assert _found({**GOOD, "kid": "other", **changes}) == 0


@pytest.mark.parametrize(
    "changes",
    [
        *({"crv": "P-384"}, {"crv": "secp256k1"}, {"x": "AQ"}, {"y": 7}, {"x": "A" * 43}),
        *({"alg": "RS256"}, {"use": "enc"}, {"d": "AQ"}),
    ],
)
def test_key_set_passes_over_a_point_that_is_not_on_the_curve(changes: dict[str, Any]) -> None:
    """And a key of another curve."""
    assert _found(ec_jwk(ec_key(), kid="other")) == 1
    assert _found({**ec_jwk(ec_key(), kid="other"), **changes}) == 0


def test_key_set_passes_over_a_short_key() -> None:
    """1,024 bits have been factored."""
    short = rsa.generate_private_key(public_exponent=65_537, key_size=1_024)  # noqa: S505 - the weak one

    assert _found(rsa_jwk(short, kid="short")) == 0
    assert _found(ec_jwk(ec.generate_private_key(ec.SECP256R1()), kid="other")) == 1


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"<html>", "no JSON object"),
        (b"[]", "no JSON object"),
        (b"\xff", "no JSON object"),
        (b"{}", "no list `keys`"),
        (b'{"keys": {}}', "no list `keys`"),
        (json.dumps({"keys": [{}] * (MOST_KEYS + 1)}).encode(), "no list `keys`"),
        (b'{"keys": []}', "none of 0 keys"),
        (b'{"keys": [7, null, "x", {}]}', "none of 4 keys"),
        (b" " * (MOST_BYTES + 1), "over 65536 bytes"),
        (b'{"keys": [], "keys": []}', "a key twice"),
    ],
)
def test_key_set_is_refused_when_it_has_no_key_to_use(data: bytes, expected: str) -> None:
    """The operator is told what was found."""
    with pytest.raises(KeysError, match=expected):
        parse_key_set(data)


def test_secret_has_to_be_long_enough() -> None:
    """Shorter ones are guessed."""
    assert secret_key(b"x" * LEAST_SECRET_BYTES).algorithm == "HS256"
    with pytest.raises(KeysError, match="31 bytes, expected 32"):
        secret_key(b"x" * (LEAST_SECRET_BYTES - 1))
