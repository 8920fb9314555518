"""The parts of a storm that need no local AWS: channels, pace, kills, tokens, figures."""

import random
from base64 import urlsafe_b64decode
from json import loads

import pytest

from crier.listening.effects import TokenReason
from crier.listening.opening import TokenFailure
from testbed.storm.channels import SHARES, draw_followed
from testbed.storm.issuer import Issuer, MemberTokens
from testbed.storm.kills import kills
from testbed.storm.pace import Pace
from testbed.storm.returns import Return
from testbed.storm.stormed import Stormed, middle_and_most

SECRET = "s" * 64


def dice() -> random.Random:
    """Return the same dice each time."""
    return random.Random(1)  # noqa: S311 - repeatable, not secret


def sizes(clients: int) -> dict[str, int]:
    """Return how many clients follow each channel."""
    followed = draw_followed(dice(), clients)
    return {name: sum(name in channels for channels in followed) for name in SHARES}


def test_channels_have_20_to_500_of_500_clients() -> None:
    """Seven channels; everyone's has all."""
    found = sizes(500)

    assert sorted(found.values()) == [20, 40, 80, 150, 250, 350, 500]
    assert found["*"] == 500


def test_channels_of_few_clients_have_two_at_least() -> None:
    """But no more than there are."""
    assert min(sizes(10).values()) == 2
    assert set(sizes(1).values()) == {1}


def test_pace_waits_until_most_clients_have_what_was_sent() -> None:
    """Four in five are waited for, as some are cut meanwhile. Unknown ids are none."""
    pace = Pace(10)
    pace.sent("one", 20, 0.0)
    full = pace.may_send(0.0)

    for _ in range(6):
        pace.posted("one")
    still_full = pace.may_send(1.0)
    pace.posted("one")
    pace.posted("unknown")

    assert (full, still_full, pace.may_send(1.0)) == (False, False, True)


def test_pace_forgets_what_was_posted_or_is_old() -> None:
    """A killed worker's broadcast comes again later; four fifths of one client are none."""
    pace = Pace(1)
    pace.sent("alone", 1, 0.0)
    pace.sent("killed", 10, 0.0)
    pace.posted("alone")

    assert not pace.may_send(5.0)
    assert pace.may_send(5.1)


def test_workers_are_killed_at_different_requests_until_shortly_before_the_end() -> None:
    """Each of the kills happens once."""
    found = kills(40.0)

    assert [one.after_seconds for one in found] == [3.5, 10.5, 17.5, 24.5]
    assert {one.times for one in found} == {1}
    assert {one.function for one in found} == {"Broadcast"}
    assert len({(one.operation, one.kind, one.body) for one in found}) == 4


def lives_of(monkeypatch: pytest.MonkeyPatch, number: int) -> list[int]:
    """Return for how long each of 200 tokens of a client is valid when it is given, in seconds."""
    now = 1_000_000
    monkeypatch.setattr("testbed.storm.issuer.time.time", lambda: now + 0.5)
    issuer = Issuer(SECRET, dice(), clients=500)
    lives = []
    for _ in range(200):
        token = issuer.token_for(number)
        assert isinstance(token, str)
        payload = token.split(".")[1]
        claims = loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        assert claims["sub"] == f"client-{number}"
        lives.append(claims["exp"] - now)
    assert issuer.stale == sum(one < 0 for one in lives)
    return lives


def test_tokens_of_some_clients_live_for_half_a_minute(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of one in 20 of 500; the others' live for hours. A few have expired when they are given."""
    assert set(lives_of(monkeypatch, 7)) == {12 * 3_600, -3_600}
    assert set(lives_of(monkeypatch, 40)) == {30, -3_600}


async def test_issuer_that_is_away_gives_no_token() -> None:
    """It counts how often it was asked."""
    issuer = Issuer(SECRET, dice(), clients=500)
    tokens = MemberTokens(issuer, 7)
    issuer.is_away = True

    away = await tokens.get(TokenReason.RECONNECT)
    issuer.is_away = False
    back = await tokens.get(TokenReason.RECONNECT)

    assert isinstance(away, TokenFailure)
    assert isinstance(back, str)
    assert issuer.in_vain == 1


def test_figures_are_of_the_storm_and_of_returns_at_the_first_try() -> None:
    """Frames that came after the last broadcast do not make the storm look faster."""
    first = Return(1.0, is_first_failure=True, missing=set(), tries=1, whole_at=2.0)
    second = Return(1.0, is_first_failure=True, missing=set(), tries=2, whole_at=9.0)
    stormed = Stormed(seconds=10.0, received=900, received_meanwhile=500)
    stormed.returns = [first, second]

    assert stormed.frames_per_second == 50.0
    assert Stormed().frames_per_second == 0.0
    assert stormed.at_first_try == [first]


def test_median_and_nine_tenths() -> None:
    """Of no values, of one, of many."""
    assert middle_and_most([]) == (0.0, 0.0)
    assert middle_and_most([3.0]) == (3.0, 3.0)
    assert middle_and_most([float(one) for one in range(11)]) == (5.0, 9.0)
