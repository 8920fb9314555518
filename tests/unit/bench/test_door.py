"""The measurement of what it costs to be let in."""

import time

import pytest

from access.claims import ClaimRules
from access.key_set import parse_key_set
from access.verifier import PUBLIC_KEY_ALGORITHMS, TokenVerifier
from bench.door import processor
from bench.door.issuer import AUDIENCE, ISSUER, Issuer


def test_door_measures_with_tokens_that_are_good() -> None:
    """Its issuer's keys verify what it signs."""
    issuer = Issuer()
    rules = ClaimRules(issuer=ISSUER, audience=AUDIENCE)
    verifier = TokenVerifier(rules, PUBLIC_KEY_ALGORITHMS, parse_key_set(issuer.key_set).find)

    client = verifier.verify(issuer.token("alice"), int(time.time()))

    assert client.user == "alice"


def test_door_measures_the_whole_handler(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each token is let in; what the handler logs is not shown."""
    monkeypatch.setattr(processor, "_TOKENS", 3)

    (target,) = processor.token_cost()

    assert isinstance(target.figure, float)
    assert target.figure > 0
    assert capsys.readouterr().out == ""
