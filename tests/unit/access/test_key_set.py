"""Keys of an issuer: which can be used, and which are passed over."""

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from access import base64url
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


def test_key_set_has_the_bounds_that_operators_are_told() -> None:
    """64 KB, a hundred keys, a secret of 32 bytes."""
    assert (MOST_BYTES, MOST_KEYS, LEAST_SECRET_BYTES) == (65_536, 100, 32)


def test_key_set_may_have_64_kb() -> None:
    """One byte more is refused."""
    largest = jwks(GOOD).ljust(MOST_BYTES)

    assert len(parse_key_set(largest)) == 1
    with pytest.raises(KeysError, match="over 65536 bytes"):
        parse_key_set(largest + b" ")


def test_key_set_may_have_a_hundred_keys() -> None:
    """The good one may be among others."""
    others: list[dict[str, Any]] = [{}] * (MOST_KEYS - 1)

    assert len(parse_key_set(jwks(GOOD, *others))) == 1


@pytest.mark.parametrize(
    ("bits", "exponent", "is_taken"),
    [
        (2_048, 65_537, True),
        (8_192, 65_537, True),
        (8_193, 65_537, False),
        (2_047, 65_537, False),
        (2_048, 65_535, False),
        (2_048, 2**32 - 1, True),
        (2_048, 2**32 + 1, False),
    ],
)
def test_key_set_takes_rsa_keys_of_2_048_to_8_192_bits(
    bits: int, exponent: int, *, is_taken: bool
) -> None:
    """Larger ones would take long to verify by: an issuer could stop us."""
    modulus = number(2 ** (bits - 1) + 1)

    found = _found({"kty": "RSA", "n": modulus, "e": number(exponent), "kid": "other"})

    assert found == is_taken


@pytest.mark.parametrize("name", ["x", "y"])
@pytest.mark.parametrize("size", [31, 33])
def test_key_set_takes_coordinates_of_32_bytes(name: str, size: int) -> None:
    """Each point has one way to be written: RFC 7518, 6.2.1.2."""
    numbers = ec_key().public_key().public_numbers()
    coordinate = getattr(numbers, name)
    written = base64url.encode(coordinate.to_bytes(33)[-size:])

    assert _found(ec_jwk(ec_key(), kid="curve")) == 1
    assert _found(ec_jwk(ec_key(), kid="curve") | {name: written}) == 0


@pytest.mark.parametrize("key_id", ["x", "x" * 128])
def test_key_set_takes_key_ids_of_1_to_128_characters(key_id: str) -> None:
    """A token may name no other."""
    assert parse_key_set(jwks(rsa_jwk(rsa_key(), kid=key_id))).find("RS256", key_id)
