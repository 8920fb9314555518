"""Tokens, good and forged: each attack is refused, and for its own reason."""

import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from access import base64url
from access.claims import ClaimRules
from access.client import Client
from access.compact import MOST_TOKEN
from access.key_set import KeySet, parse_key_set, secret_key
from access.refusal import Refusal, RefusedError
from access.verifier import PUBLIC_KEY_ALGORITHMS, TokenVerifier
from tests.support import tokens
from tests.support.tokens import (
    AUDIENCE,
    CLAIMS,
    ISSUER,
    NOW,
    RULES,
    SECRET,
    ec_jwk,
    ec_key,
    ec_signature,
    jwks,
    rsa_jwk,
    rsa_key,
    signed_ec,
    signed_rsa,
    signed_secret,
    token,
    verifier,
)

ALICE = Client("alice", None, NOW + 600)
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""The order of P-256: FIPS 186-4, D.1.2.3."""

SIGNED = [signed_rsa(), signed_ec()]
"""Made once: a key takes longer than Hypothesis waits for data on a busy machine."""

SCOPED = ClaimRules(issuer=ISSUER, audience=AUDIENCE, needs_scope=True)
FOR_US = CLAIMS | {"scope": "profile crier:connect"}


def _refusal(given: str, by: TokenVerifier | None = None, *, now: int = NOW) -> Refusal:
    """Return why a token is refused."""
    with pytest.raises(RefusedError) as caught:
        (by or verifier()).verify(given, now)
    return caught.value.refusal


def _secret_verifier(rules: ClaimRules = SCOPED) -> TokenVerifier:
    key = secret_key(SECRET)
    return verifier(rules, find_key=lambda _algorithm, _key_id: key, is_secret=True)


@pytest.mark.parametrize("signed", [signed_rsa, signed_ec])
def test_verifier_lets_a_token_in_that_its_issuer_has_signed(signed: Any) -> None:
    """By either kind of key."""
    assert verifier().verify(signed(), NOW) == ALICE


def test_verifier_takes_what_a_library_of_others_signs() -> None:
    """Both ends are ours in the other tests."""
    by_library = jwt.encode(CLAIMS, rsa_key(), algorithm="RS256", headers={"kid": "rsa"})
    on_curve = jwt.encode(CLAIMS, ec_key(), algorithm="ES256", headers={"kid": "ec"})

    assert [verifier().verify(one, NOW) for one in (by_library, on_curve)] == [ALICE, ALICE]


def test_verifier_takes_the_example_of_the_standard() -> None:
    """RFC 7515, A.1: HS256, with line ends in its JSON."""
    key = base64url.decode(
        "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"
    )
    example = (
        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9."
        "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ."
        "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    )
    assert key
    secret, rules = secret_key(key), ClaimRules(issuer="joe", audience="nobody")
    by = verifier(rules, find_key=lambda _algorithm, _key_id: secret, is_secret=True)

    assert _refusal(example, by, now=1_300_819_000) is Refusal.AUDIENCE  # its signature is right
    assert _refusal(example[:-1] + "l", by, now=1_300_819_000) is Refusal.MALFORMED
    assert _refusal(example[:-2] + "Yk", by, now=1_300_819_000) is Refusal.SIGNATURE


@pytest.mark.parametrize(
    "algorithm", ["none", "None", "NONE", "nOnE", "", "rs256", "RS512", ["RS256"], None, 1, {}]
)
def test_verifier_refuses_any_other_algorithm(algorithm: object) -> None:
    """Letter by letter: a token does not choose how it is verified."""
    assert _refusal(token({"alg": algorithm, "kid": "rsa"}, CLAIMS, b"x")) is Refusal.ALGORITHM
    assert _refusal(signed_rsa(alg=algorithm)) is Refusal.ALGORITHM


def test_verifier_refuses_a_token_without_an_algorithm() -> None:
    """It is no signed token."""
    assert _refusal(token({"kid": "rsa"}, CLAIMS, b"x")) is Refusal.ALGORITHM


@pytest.mark.parametrize("key", [rsa_key, ec_key])
@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
def test_verifier_never_takes_a_public_key_for_a_secret(key: Any, encoding: Encoding) -> None:
    """Everyone knows it: the family of algorithms is the deploy's choice."""
    public = key().public_key().public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)

    assert _refusal(signed_secret(secret=public)) is Refusal.ALGORITHM


def test_verifier_never_takes_the_text_of_a_key_set_for_a_secret() -> None:
    """Nor one of its keys."""
    for text in (jwks(rsa_jwk(rsa_key())), jwks(ec_jwk(ec_key()))):
        assert _refusal(signed_secret(secret=text)) is Refusal.ALGORITHM


def test_verifier_of_a_secret_takes_no_token_of_a_public_key() -> None:
    """One family for each deploy."""
    assert _refusal(signed_rsa(), _secret_verifier()) is Refusal.ALGORITHM


def test_verifier_uses_a_key_for_its_own_algorithm_only() -> None:
    """The key's kind decides, whatever finds it."""
    key = tokens.issuer_keys().find("ES256", "ec")
    by = verifier(find_key=lambda _algorithm, _key_id: key)

    assert _refusal(signed_rsa(), by) is Refusal.UNKNOWN_KEY


@pytest.mark.parametrize(
    "key_id",
    [
        *("../../etc/passwd", "https://evil.example/keys", "rsa' OR '1'='1", "rsa\x00", "RSA"),
        *("x" * 129, "x" * 10_000, "", 7, None, ["rsa"], {"kid": "rsa"}, True),
    ],
)
def test_verifier_refuses_a_key_that_it_does_not_know(key_id: object) -> None:
    """The name is looked up, and used for nothing else; a very long token is malformed."""
    assert _refusal(signed_rsa(kid=key_id)) in (Refusal.UNKNOWN_KEY, Refusal.MALFORMED)


def test_verifier_takes_a_token_without_a_key_id_when_there_is_one_key() -> None:
    """With several, it must say which."""
    one = verifier(find_key=parse_key_set(jwks(rsa_jwk(rsa_key()))).find)
    other = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    two = parse_key_set(jwks(rsa_jwk(rsa_key(), kid="a"), rsa_jwk(other, kid="b")))
    header = {"alg": "RS256"}
    bare = jwt.encode(CLAIMS, rsa_key(), algorithm="RS256", headers=header)

    assert one.verify(bare, NOW) == ALICE
    assert _refusal(bare, verifier(find_key=two.find)) is Refusal.UNKNOWN_KEY


@pytest.mark.parametrize("name", ["jku", "x5u", "x5c", "jwk"])
def test_verifier_ignores_keys_that_a_token_brings_along(name: str) -> None:
    """A forged token is not verified by them, a good one not harmed."""
    forger = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    brought: dict[str, Any] = {name: rsa_jwk(forger, kid="rsa")}

    assert verifier().verify(signed_rsa(**brought), NOW) == ALICE
    assert _refusal(signed_rsa(key=forger, **brought)) is Refusal.SIGNATURE


@pytest.mark.parametrize("critical", [[], ["exp"], ["b64"], None, "exp"])
def test_verifier_refuses_a_critical_header(critical: object) -> None:
    """None of them is understood: RFC 7515, 4.1.11."""
    assert _refusal(signed_rsa(crit=critical)) is Refusal.CRITICAL


@pytest.mark.parametrize(
    ("r", "s"), [(0, 0), (0, 1), (1, 0), (ORDER, 1), (1, ORDER), (ORDER, ORDER), (2**256 - 1, 1)]
)
def test_verifier_refuses_numbers_that_are_no_signature_on_the_curve(r: int, s: int) -> None:
    """Zeros have passed for one elsewhere: CVE-2022-21449."""
    header = {"alg": "ES256", "kid": "ec"}

    given = token(header, CLAIMS, r.to_bytes(32) + s.to_bytes(32))

    assert _refusal(given) is Refusal.SIGNATURE


def test_verifier_refuses_a_signature_in_another_encoding() -> None:
    """Signatures on the curve are raw here, not DER: RFC 7518, 3.4."""
    header = {"alg": "ES256", "kid": "ec"}
    raw = ec_signature(header, CLAIMS)
    in_der = encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))

    for signature in (in_der, raw[:63], raw + b"\0", b"\0" + raw, raw[32:] + raw[:32]):
        assert _refusal(token(header, CLAIMS, signature)) is Refusal.SIGNATURE


def test_verifier_refuses_numbers_that_are_no_signature_of_rsa() -> None:
    """Too short, too large, and one whose padding is forged: FIPS 186-4; RFC 8017, 8.2.2."""
    header = {"alg": "RS256", "kid": "rsa"}
    numbers = rsa_key().public_key().public_numbers()
    size = 256
    forged = b"\0\1" + b"\xff" * 8 + b"\0" + b"x" * (size - 11)

    for signature in (
        *(b"\0", b"\0" * size, b"\1".rjust(size, b"\0"), numbers.n.to_bytes(size), forged),
        *(b"\xff" * size, forged[1:], b"\0" * (size + 1)),
    ):
        assert _refusal(token(header, CLAIMS, signature)) is Refusal.SIGNATURE


@pytest.mark.parametrize(
    "given",
    [
        *("", ".", "..", "a.b", "a.b.c", "a.b.c.d.e", "…", "\ud800", "a" * 9_000),
        *("e30.e30.", "e30.e30.e30=", " e30.e30.e30", "e30.e30.e30\n", "e30.e30.e 30"),
    ],
)
def test_verifier_refuses_what_is_no_token(given: str) -> None:
    """Of three parts, in base64url without padding, and not too long."""
    assert _refusal(given) in (Refusal.MALFORMED, Refusal.ALGORITHM)


@pytest.mark.parametrize(
    "header",
    [
        *(b"[]", b"null", b"7", b'"x"', b"{", b"{}x", b"\xff", b'{"alg":"RS256","alg":"RS256"}'),
        *(b'\xef\xbb\xbf{"alg":"RS256"}', b'{"alg":NaN}', b'{"a":' * 40 + b"1" + b"}" * 40),
        *(b'{"alg":"RS256","exp":1e400}', b'{"a":' + b"9" * 5_000 + b"}"),
    ],
)
def test_verifier_refuses_a_header_or_claims_that_are_no_plain_object(header: bytes) -> None:
    """Each key once, in UTF-8, with numbers that are finite, and not deep."""
    assert _refusal(token(header, CLAIMS, b"x")) is Refusal.MALFORMED
    assert _refusal(signed_rsa(header)) is Refusal.MALFORMED


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_verifier_refuses_a_token_of_which_any_character_is_changed(data: st.DataObject) -> None:
    """Whatever it is changed to, and wherever."""
    given = data.draw(st.sampled_from(SIGNED))
    place = data.draw(st.integers(0, len(given) - 1))
    instead = data.draw(st.sampled_from("ABCabc019-_=.+/ ").filter(lambda one: one != given[place]))

    assert _refusal(given[:place] + instead + given[place + 1 :])


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_verifier_refuses_a_token_of_which_anything_is_cut_or_added(data: st.DataObject) -> None:
    """At any place."""
    given = data.draw(st.sampled_from(SIGNED))
    place = data.draw(st.integers(0, len(given)))
    cut = data.draw(st.integers(0, 8))
    added = data.draw(st.text("Aa0-_.", max_size=8))
    changed = given[:place] + added + given[place + cut :]

    if changed != given:
        assert _refusal(changed)


def test_verifier_of_a_secret_lets_in_what_is_made_for_connecting() -> None:
    """The same secret may sign other tokens."""
    by = _secret_verifier()

    assert by.verify(signed_secret(FOR_US), NOW) == ALICE
    for scope in (None, "", "profile", "crier:connected", ["crier:connect"], 7):
        assert _refusal(signed_secret(CLAIMS | {"scope": scope}), by) is Refusal.PURPOSE
    assert _refusal(signed_secret(), by) is Refusal.PURPOSE
    assert _refusal(signed_secret(FOR_US, secret=SECRET + b"!"), by) is Refusal.SIGNATURE


def test_verifier_refuses_all_when_no_key_is_known() -> None:
    """It is closed, not open."""
    by = TokenVerifier(RULES, PUBLIC_KEY_ALGORITHMS, KeySet(()).find)

    assert _refusal(signed_rsa(), by) is Refusal.UNKNOWN_KEY


def test_verifier_reads_claims_of_16_levels() -> None:
    """What is deeper is read by recursion somewhere, and no issuer needs it."""

    def nested(levels: int) -> dict[str, Any]:
        value: Any = 1
        for _ in range(levels - 1):
            value = [value]
        return CLAIMS | {"nested": value}

    assert verifier().verify(signed_rsa(nested(16)), NOW) == ALICE
    assert _refusal(signed_rsa(nested(17))) is Refusal.MALFORMED


def test_verifier_refuses_a_good_token_that_is_too_long() -> None:
    """Before it is decoded: that would cost what an attacker likes."""
    empty = CLAIMS | {"padding": ""}
    header, _, signature = signed_rsa(empty).split(".")
    room = (MOST_TOKEN - len(f"{header}..{signature}")) * 3 // 4 - len(json.dumps(empty))
    fits, too_long = (signed_rsa(CLAIMS | {"padding": "x" * size}) for size in (room, room + 1))

    assert len(fits) == MOST_TOKEN < len(too_long)
    assert verifier().verify(fits, NOW) == ALICE
    assert _refusal(too_long) is Refusal.MALFORMED
    assert MOST_TOKEN == 8 * 1024


def test_verifier_refuses_a_good_token_with_more_or_fewer_parts() -> None:
    """A token that is encrypted has five."""
    good = signed_rsa()
    header, claims, signature = good.split(".")

    for parts in (
        *(f"{header}.{claims}", f"{good}.{signature}", f"{good}.", f".{good}", f"{good}.e30.e30"),
        *(f"{header}..{signature}", f"{header}.{claims}.", f".{claims}.{signature}"),
    ):
        assert _refusal(parts) is Refusal.MALFORMED


@pytest.mark.parametrize("key_id", ["", "x" * 129, "x" * 1_000, 7, None])
def test_verifier_looks_up_no_key_id_that_is_none(key_id: object) -> None:
    """A string of 1 to 128 characters, whatever finds keys."""
    by = verifier(find_key=lambda algorithm, _key_id: tokens.issuer_keys().find(algorithm, "rsa"))

    for right in ("x", "x" * 128):
        assert by.verify(signed_rsa(kid=right), NOW) == ALICE
    assert _refusal(signed_rsa(kid=key_id), by) is Refusal.UNKNOWN_KEY
