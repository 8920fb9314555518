"""Where a token stands, and which pages may connect."""

import pytest

from access.origins import require_allowed
from access.refusal import Refusal, RefusedError
from access.token_place import token_in


@pytest.mark.parametrize(
    ("queried", "protocols"),
    [(["t.o.k"], []), (["t.o.k"], ["crier.v1"]), ([], ["crier.v1", "bearer.t.o.k"])],
)
def test_token_stands_in_the_query_or_among_the_protocols(
    queried: list[str], protocols: list[str]
) -> None:
    """In one of both."""
    assert token_in(queried, protocols) == "t.o.k"


@pytest.mark.parametrize(
    ("queried", "protocols", "refusal"),
    [
        ([], [], Refusal.NO_TOKEN),
        ([], ["crier.v1", "t.o.k", "Bearer.t.o.k"], Refusal.NO_TOKEN),
        ([""], [], Refusal.NO_TOKEN),
        ([], ["bearer."], Refusal.NO_TOKEN),
        (["a", "a"], [], Refusal.TWO_TOKENS),
        (["a"], ["bearer.a"], Refusal.TWO_TOKENS),
        ([""], ["bearer.a"], Refusal.TWO_TOKENS),
        ([], ["bearer.a", "bearer.b"], Refusal.TWO_TOKENS),
    ],
)
def test_token_is_refused_when_it_is_not_in_exactly_one_place(
    queried: list[str], protocols: list[str], refusal: Refusal
) -> None:
    """Equal ones, too: what is checked must be what is meant."""
    with pytest.raises(RefusedError) as caught:
        token_in(queried, protocols)

    assert caught.value.refusal is refusal


def test_origin_is_anyones_where_none_is_named() -> None:
    """Programs send none."""
    for origins in ([], ["https://a.example"], ["null"]):
        require_allowed(origins, [])


@pytest.mark.parametrize(
    "origins",
    [
        *([], ["https://b.example"], ["https://a.example/"], ["http://a.example"], ["null"]),
        ["https://a.example", "https://a.example"],
    ],
)
def test_origin_is_refused_when_another_is_named(origins: list[str]) -> None:
    """Letter by letter, and exactly once."""
    require_allowed(["https://a.example"], ["https://a.example"])

    with pytest.raises(RefusedError, match=Refusal.ORIGIN):
        require_allowed(origins, ["https://a.example"])
