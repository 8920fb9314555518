"""What a token must say, and what it may."""

from typing import Any

import pytest

from access.claims import LEEWAY_SECONDS, MOST_AHEAD_SECONDS, ClaimRules, client_of_claims
from access.client import Client
from access.refusal import Refusal, RefusedError
from broadcasting.checks import MOST_USER
from tests.support.tokens import AUDIENCE, CLAIMS, ISSUER, NOW, RULES


def _refusal(changes: dict[str, Any], rules: ClaimRules = RULES) -> Refusal:
    with pytest.raises(RefusedError) as caught:
        client_of_claims(CLAIMS | changes, rules, NOW)
    return caught.value.refusal


def test_claims_name_the_client() -> None:
    """Its user, its channels if there are any, and until when."""
    plain = client_of_claims(CLAIMS, RULES, NOW)
    with_channels = client_of_claims(CLAIMS | {"channels": ["a.b", "c*"]}, RULES, NOW)
    with_text = client_of_claims(CLAIMS | {"channels": "a.b c*"}, RULES, NOW)
    with_none = client_of_claims(CLAIMS | {"channels": ""}, RULES, NOW)

    assert plain == Client("alice", None, NOW + 600)
    assert with_channels == with_text == Client("alice", ("a.b", "c*"), NOW + 600)
    assert with_none == Client("alice", (), NOW + 600)


def test_claims_may_have_the_channels_under_another_name() -> None:
    """Issuers demand names of their own."""
    rules = ClaimRules(issuer=ISSUER, audience=AUDIENCE, channels_claim="https://a/rooms")

    found = client_of_claims(CLAIMS | {"https://a/rooms": ["x"], "channels": 7}, rules, NOW)

    assert found.channels == ("x",)


@pytest.mark.parametrize("seconds", [-LEEWAY_SECONDS + 1, 0, MOST_AHEAD_SECONDS + LEEWAY_SECONDS])
def test_claims_hold_until_they_expire(seconds: int) -> None:
    """With a leeway for clocks that differ."""
    assert (
        client_of_claims(CLAIMS | {"exp": NOW + seconds}, RULES, NOW).expires_seconds
        == NOW + seconds
    )


@pytest.mark.parametrize("exp", [NOW - LEEWAY_SECONDS, 0, -1, -(10**300)])
def test_claims_are_refused_when_they_have_expired(exp: int) -> None:
    """However long ago."""
    assert _refusal({"exp": exp}) is Refusal.EXPIRED


@pytest.mark.parametrize(
    "exp",
    [
        *(None, "soon", str(NOW + 600), float(NOW + 600), True, [NOW + 600], 10**300),
        NOW + MOST_AHEAD_SECONDS + LEEWAY_SECONDS + 1,
    ],
)
def test_claims_are_refused_when_their_expiry_is_no_time_or_far_ahead(exp: object) -> None:
    """A whole number of seconds, within a day."""
    assert _refusal({"exp": exp}) is Refusal.EXPIRY


def test_claims_are_refused_when_they_never_expire() -> None:
    """What is captured could be used for ever."""
    claims = {name: value for name, value in CLAIMS.items() if name != "exp"}

    with pytest.raises(RefusedError, match=Refusal.EXPIRY):
        client_of_claims(claims, RULES, NOW)


@pytest.mark.parametrize("name", ["nbf", "iat"])
def test_claims_are_refused_before_their_time(name: str) -> None:
    """Also when that is no time."""
    assert client_of_claims(CLAIMS | {name: NOW + LEEWAY_SECONDS}, RULES, NOW).user == "alice"
    assert _refusal({name: NOW + LEEWAY_SECONDS + 1}) is Refusal.NOT_YET
    for no_time in ("now", 1.5, True, None):
        assert _refusal({name: no_time}) is Refusal.EXPIRY


@pytest.mark.parametrize("issuer", [None, "", ISSUER + "/", ISSUER.upper(), [ISSUER], 7])
def test_claims_are_refused_when_they_are_another_issuers(issuer: object) -> None:
    """Letter by letter."""
    assert _refusal({"iss": issuer}) is Refusal.ISSUER


@pytest.mark.parametrize(
    "audience", [None, "", "crie", "crier2", ["other"], [], [["crier"]], {"crier": 1}, 7]
)
def test_claims_are_refused_when_they_are_for_another_audience(audience: object) -> None:
    """A list must contain ours."""
    assert client_of_claims(CLAIMS | {"aud": ["other", AUDIENCE]}, RULES, NOW).user == "alice"
    assert _refusal({"aud": audience}) is Refusal.AUDIENCE


def test_claims_may_have_the_audience_under_another_name() -> None:
    """Cognito's access tokens have `client_id`, and no `aud`."""
    rules = ClaimRules(issuer=ISSUER, audience=AUDIENCE, audience_claim="client_id")
    claims = {name: value for name, value in CLAIMS.items() if name != "aud"}

    assert client_of_claims(claims | {"client_id": AUDIENCE}, rules, NOW).user == "alice"
    assert _refusal({"client_id": "other"}, rules) is Refusal.AUDIENCE
    assert _refusal({}, rules) is Refusal.AUDIENCE


@pytest.mark.parametrize(
    "user",
    [
        *("", "x" * (MOST_USER + 1), None, 7, ["alice"], "a\nb", "a\0b", "\x7f", "a\u202eb"),
        *("\ud800", "\u2028", "a\u200bb"),
    ],
)
def test_claims_are_refused_when_their_user_is_no_name(user: object) -> None:
    """One that cannot be told from another by eye is none, either."""
    assert _refusal({"sub": user}) is Refusal.USER


@pytest.mark.parametrize("user", ["a", "x" * MOST_USER, "user|7", "a@b.example", "Zoë 🙂", "a:b#c"])
def test_claims_may_have_users_of_many_kinds(user: str) -> None:
    """Issuers name them as they like."""
    assert client_of_claims(CLAIMS | {"sub": user}, RULES, NOW).user == user


@pytest.mark.parametrize(
    "channels",
    [
        *(None, 7, {}, [7], [""], ["a", ""], "a  b", " a", ["a*b"], ["**"], ["*a"], ["a b"], ["é"]),
        *(["x" * 65], ["a"] * 101, ["x" * 64] * 64, [None], ["@self"], ["a\n"]),
    ],
)
def test_claims_are_refused_when_their_channels_are_no_patterns(channels: object) -> None:
    """A `*` stands at the end only; names are those of channels; all have 4 KB; null is none."""
    assert _refusal({"channels": channels}) is Refusal.CHANNELS


def test_claims_have_the_bounds_that_operators_are_told() -> None:
    """Half a minute for clocks that differ, a day for a token."""
    assert (LEEWAY_SECONDS, MOST_AHEAD_SECONDS) == (30, 86_400)
