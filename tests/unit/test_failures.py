"""What is said of an error whose text could hold a secret."""

import json

import pytest

from access.refusal import RefusedError
from broadcasting.errors import RejectedError
from broadcasting.strict_json import read_json
from failures import failure_of
from settings import AuthorizerSettings, SettingsError
from tests.support.tokens import NOW, verifier


def _caught(text: str) -> RejectedError:
    with pytest.raises(RejectedError) as caught:
        read_json(text)
    return caught.value


def test_failure_names_kinds_and_a_place_of_ours_only() -> None:
    """The error and what has caused it; the innermost line of ours, not that of a library."""
    told = failure_of(_caught("[" + "9" * 5_000 + "]"))

    assert told["error"] == "RejectedError from ValueError"
    assert told["place"].startswith("broadcasting/strict_json.py:")
    assert "99" not in json.dumps(told)


def test_failure_has_no_place_when_the_error_is_not_of_our_code() -> None:
    """One that was never raised, too."""
    assert failure_of(RuntimeError("secret")) == {"error": "RuntimeError", "place": "nowhere"}


def test_failure_names_few_causes() -> None:
    """A chain has no end that is known."""
    error: Exception = KeyError()
    for _ in range(20):
        outer = RuntimeError()
        outer.__cause__ = error
        error = outer

    assert failure_of(error)["error"] == " from ".join(["RuntimeError"] * 4)


def test_failure_has_a_text_when_it_is_known_to_be_harmless() -> None:
    """Settings are no secrets."""
    with pytest.raises(SettingsError) as caught:
        AuthorizerSettings.read({})

    assert "AUTH is missing" in failure_of(caught.value, SettingsError)["reason"]
    assert "reason" not in failure_of(caught.value, KeyError)


def test_failure_is_where_it_was_raised() -> None:
    """The innermost place, not the one that asked."""
    with pytest.raises(RefusedError) as caught:
        verifier().verify("a.b", NOW)

    assert failure_of(caught.value)["place"].startswith("access/compact.py:")
