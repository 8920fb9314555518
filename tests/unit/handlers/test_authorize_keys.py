"""The authorizer over time: keys and secrets that rotate, fail, or are not there."""

import io
import json
from typing import Any

import pytest

from access.key_cache import FAILED_SECONDS, FRESH_SECONDS, STALE_SECONDS, UNKNOWN_SECONDS
from access.key_errors import KeysError
from access.key_set import MOST_BYTES
from tests.support.authorizing import (
    NO_VERSION,
    OTHER_SECRET,
    PUBLIC_KEYS,
    SCOPED,
    Authorizer,
    Issuer,
    by_keys,
    by_secret,
    failed,
    lines_of,
    version,
)
from tests.support.tokens import (
    CLAIMS,
    NOW,
    SECRET,
    jwks,
    rsa_jwk,
    rsa_key,
    signed_rsa,
    signed_secret,
)


def test_authorizer_takes_up_keys_that_are_rotated() -> None:
    """The issuer's new key is fetched when a token names it; the old one holds until then."""
    authorizer = by_keys()
    assert authorizer.lets_in(signed_rsa())
    authorizer.issuer.document = jwks(rsa_jwk(rsa_key(), kid="new"))

    authorizer.time.run(UNKNOWN_SECONDS - 1)
    before = [authorizer.lets_in(signed_rsa(kid=kid)) for kid in ("new", "rsa")]
    authorizer.time.run(1)
    after = [authorizer.lets_in(signed_rsa(kid=kid)) for kid in ("new", "rsa")]

    assert (before, after) == ([False, True], [True, False])
    assert authorizer.issuer.fetches == 2


@pytest.mark.parametrize("is_down", [False, True])
def test_authorizer_fetches_once_for_a_flood_of_unknown_keys(*, is_down: bool) -> None:
    """In five minutes, whether the issuer answers or not; known keys are answered meanwhile."""
    authorizer = by_keys()
    assert authorizer.lets_in(signed_rsa())
    authorizer.time.run(UNKNOWN_SECONDS)
    authorizer.issuer.error = KeysError("down") if is_down else None

    for number in range(200):
        assert not authorizer.lets_in(signed_rsa(kid=f"made-up-{number}"))
        authorizer.time.run(1)
        assert authorizer.lets_in(signed_rsa(CLAIMS | {"exp": NOW + 3_600}))

    assert authorizer.issuer.fetches == 2


@pytest.mark.parametrize(
    "trouble",
    [
        *(KeysError("the keys were answered with status 500"), TimeoutError(), OSError("reset")),
        *(b"<html>", b"", b"{}", b"[]", b'{"keys":[]}', b" " * (MOST_BYTES + 1), RuntimeError("?")),
    ],
)
def test_authorizer_goes_on_for_a_day_with_the_last_keys(
    trouble: Exception | bytes, log: io.StringIO
) -> None:
    """While the issuer is down, or answers what is no key set; after that it is closed."""
    claims = CLAIMS | {"exp": NOW + 2 * 86_400 - 60}
    authorizer = by_keys()
    assert authorizer.lets_in(signed_rsa())
    if isinstance(trouble, bytes):
        authorizer.issuer.document = trouble or b" "
    else:
        authorizer.issuer.error = trouble

    authorizer.time.run(STALE_SECONDS - 1)
    held = authorizer.lets_in(signed_rsa(claims))
    authorizer.time.run(1)
    closed = not authorizer.lets_in(signed_rsa(claims))
    authorizer.issuer.error, authorizer.issuer.document = None, b""
    authorizer.time.run(FAILED_SECONDS)

    assert (held, closed) == (True, True)
    assert authorizer.lets_in(signed_rsa(claims))
    messages = [line["message"] for line in lines_of(log)]
    assert messages == ["let in", "keys not fetched", "let in", "could not decide", "let in"]


def test_authorizer_is_closed_when_it_has_never_had_keys(
    log: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    """It asks for them now and then, and an alarm can see that it could not decide."""
    authorizer = Authorizer(PUBLIC_KEYS, Issuer(error=KeysError("the reason")))

    assert not any(authorizer.lets_in(signed_rsa()) for _ in range(3))
    assert authorizer.issuer.fetches == 1
    authorizer.time.run(FAILED_SECONDS)
    assert not authorizer.lets_in(signed_rsa())
    assert authorizer.issuer.fetches == 2
    first, second, *_ = lines_of(log)
    assert (first["message"], first["reason"]) == ("keys not fetched", "the reason")
    assert (second["message"], second["error"]) == ("could not decide", "KeysUnavailableError")
    assert second["place"].startswith("access/key_source.py:")
    assert capsys.readouterr().out.count('"AuthorizerFailed":[1.0]') == 4


def test_authorizer_fetches_keys_again_while_they_are_in_use() -> None:
    """An issuer may have taken one back."""
    authorizer = by_keys()
    assert authorizer.lets_in(signed_rsa())
    authorizer.issuer.document = jwks(rsa_jwk(rsa_key(), kid="new"))
    authorizer.time.freeze(FRESH_SECONDS)  # also while the function is frozen

    assert not authorizer.lets_in(signed_rsa(CLAIMS | {"exp": NOW + 3_600}))


def test_authorizer_lets_in_by_a_secret() -> None:
    """Both versions are read once; tokens need no request."""
    authorizer = by_secret(version(SECRET), NO_VERSION)

    assert all(authorizer.lets_in(signed_secret(SCOPED)) for _ in range(20))
    assert not authorizer.lets_in(signed_secret(CLAIMS))
    assert authorizer.wire.operations == ["GetSecretValue"] * 2
    assert [json.loads(body) for body in authorizer.wire.bodies] == [
        {"SecretId": "crier/secret", "VersionStage": "AWSCURRENT"},
        {"SecretId": "crier/secret", "VersionStage": "AWSPREVIOUS"},
    ]


def test_authorizer_takes_a_secret_of_bytes() -> None:
    """Secrets Manager has texts and bytes."""
    as_bytes = (200, {"SecretBinary": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="})

    assert by_secret(as_bytes, NO_VERSION).lets_in(signed_secret(SCOPED, secret=bytes(range(32))))


def test_authorizer_locks_no_client_out_while_a_secret_is_rotated() -> None:
    """Both versions let in: the new one as soon as it is read, the old one as the previous."""
    old, new = (signed_secret(SCOPED, secret=one) for one in (SECRET, OTHER_SECRET))
    authorizer = by_secret(version(SECRET), NO_VERSION)
    assert authorizer.lets_in(old)

    authorizer.time.run(60)
    authorizer.answers(version(OTHER_SECRET), version(SECRET))

    assert authorizer.lets_in(new)
    assert authorizer.lets_in(old)
    assert authorizer.wire.operations == ["GetSecretValue"] * 4


def test_authorizer_forgets_a_secret_that_was_rotated_twice() -> None:
    """That is what to do with one that has leaked."""
    authorizer = by_secret(version(SECRET), NO_VERSION)
    assert authorizer.lets_in(signed_secret(SCOPED))

    authorizer.time.run(FRESH_SECONDS)
    authorizer.answers(version(OTHER_SECRET), version(OTHER_SECRET + b"!"))

    assert not authorizer.lets_in(signed_secret(SCOPED | {"exp": NOW + 3_600}))


def test_authorizer_reads_the_secret_once_a_minute_for_a_flood_of_forged_tokens() -> None:
    """A signature that does not fit could be one of a new secret."""
    authorizer = by_secret(version(SECRET), NO_VERSION, *[version(SECRET), NO_VERSION] * 2)

    for _ in range(120):
        assert not authorizer.lets_in(signed_secret(SCOPED, secret=OTHER_SECRET))
        authorizer.time.run(1)

    assert len(authorizer.wire.operations) == 4


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ([(200, {"SecretString": "x" * 31}), NO_VERSION], "the secret has 31 bytes, expected 32"),
        ([(200, {}), NO_VERSION], "the secret has 0 bytes, expected 32"),
        ([failed("ResourceNotFoundException")], "(AWSCURRENT): ResourceNotFoundException"),
        ([failed("AccessDeniedException")], "(AWSCURRENT): AccessDeniedException"),
        ([failed("InternalServiceError", 500)], "(AWSCURRENT): InternalServiceError"),
    ],
)
def test_authorizer_is_closed_without_a_secret(
    answers: list[tuple[int, Any]], reason: str, log: io.StringIO
) -> None:
    """The log says why, and nothing of the secret."""
    authorizer = by_secret(*answers)

    assert not authorizer.lets_in(signed_secret(SCOPED))
    first, second = lines_of(log)
    assert (first["message"], second["message"]) == ("keys not fetched", "could not decide")
    assert reason in first["reason"]
    assert "xxx" not in log.getvalue()


@pytest.mark.parametrize(
    ("previous", "reasons"),
    [
        (NO_VERSION, []),
        ((200, {"SecretString": "short"}), []),
        (
            failed("InternalServiceError", 500),
            ["the secret was not read (AWSPREVIOUS): InternalServiceError"],
        ),
    ],
)
def test_authorizer_goes_on_without_the_previous_secret(
    previous: tuple[int, Any], reasons: list[str], log: io.StringIO
) -> None:
    """The current one is enough; the log says what could not be read."""
    assert by_secret(version(SECRET), previous).lets_in(signed_secret(SCOPED))
    warned = [line for line in lines_of(log) if line["message"] == "keys not fetched"]
    assert [line["reason"] for line in warned] == reasons
