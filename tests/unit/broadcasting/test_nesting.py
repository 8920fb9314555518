"""How deep a message may be nested, and how that is counted."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broadcasting.errors import RejectedError
from broadcasting.message import Broadcast, identity_of, parse_broadcast
from broadcasting.nesting import (
    MOST_LEVELS,
    count_levels,
    count_text_levels,
    is_nested_deeper,
)

TEXT = st.text(alphabet='[]{}"\\,: \nné\ud800€')
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
    max_leaves=30,
)
KINDS = {"arrays": ("[", "]"), "objects": ('{"a":', "}"), "both": ('[{"[\\"{": [', "]}]")}


def nested(levels: int, kind: str = "arrays") -> str:
    """Return JSON with a number of levels; with `both` each of them is three."""
    begin, end = KINDS[kind]
    return begin * levels + "1" + end * levels


@pytest.mark.parametrize(
    ("value", "levels"),
    [(1, 0), ("[[", 0), (None, 0), ([], 1), ({}, 1), ({"a": [1, {}], "b": 2}, 3), ([[], [[]]], 3)],
)
def test_levels_are_those_of_arrays_and_objects(value: object, levels: int) -> None:
    """The outermost array or object is the first level, and brackets in strings are none."""
    assert count_levels(value) == levels
    assert count_text_levels(json.dumps(value)) == levels


@given(JSON, st.integers(0, 8), st.booleans())
def test_levels_of_text_are_those_of_its_value(
    value: object,
    levels: int,
    ascii_only: bool,  # noqa: FBT001
) -> None:
    """Its strings may hold brackets, quotes, backslashes and lone surrogates."""
    text = json.dumps(value, ensure_ascii=ascii_only)

    assert count_text_levels(text) == count_levels(value)
    assert is_nested_deeper(text, levels) == (count_levels(value) > levels)


@given(JSON, st.integers(0, 8))
def test_levels_of_text_are_those_of_its_value_when_it_has_many_brackets(
    value: object, levels: int
) -> None:
    """Arrays beside each other are on one level."""
    many = [[value] * 20, [[], {}] * 20]

    assert is_nested_deeper(json.dumps(many), levels) == (count_levels(many) > levels)


@pytest.mark.parametrize(("kind", "levels"), [("arrays", 64), ("objects", 64), ("both", 21)])
def test_message_is_taken_when_it_is_nested_64_levels_deep(kind: str, levels: int) -> None:
    """The limit is inclusive, and does not count the body."""
    message = nested(levels, kind)

    assert parse_broadcast(f'{{"message": {message}}}', "m") == Broadcast("m", json.loads(message))


@pytest.mark.parametrize(
    ("kind", "levels", "found"),
    [("arrays", 65, 65), ("objects", 65, 65), ("both", 22, 66), ("arrays", 900, 900)],
)
def test_message_is_rejected_when_it_is_nested_deeper(kind: str, levels: int, found: int) -> None:
    """The reason says how deep it is, how deep it may be and what to do."""
    body = f'{{"id": "a", "message": {nested(levels, kind)}}}'

    with pytest.raises(RejectedError) as caught:
        parse_broadcast(body, "m")

    assert caught.value.reason == (
        f"message is nested too deeply: {found} levels, expected at most 64; flatten it, or send "
        "what is inside as a string of JSON"
    )


@pytest.mark.parametrize("levels", [2_000, 100_000, 500_000])
def test_message_is_rejected_when_it_is_too_deep_to_be_read(levels: int) -> None:
    """No parser's own limit is met: the reason is as clear."""
    with pytest.raises(RejectedError, match=f"nested too deeply .* {levels + 1} levels, .* 64 in"):
        parse_broadcast(f'{{"message": {nested(levels)}}}', "m")


@pytest.mark.parametrize("key", ["id", "ttlSeconds", "typo"])
def test_message_is_rejected_when_another_key_is_nested_deeply(key: str) -> None:
    """Only the message may be nested at all."""
    with pytest.raises(RejectedError, match=r"^body is nested too deeply: 81 levels, .* 64, and"):
        parse_broadcast(f'{{"message": 1, "{key}": {nested(80)}}}', "m")


def test_message_is_taken_when_a_string_of_it_has_many_brackets() -> None:
    """JSON in a string is one string for the client's parser, whatever is in it."""
    message = nested(500)

    assert parse_broadcast(json.dumps({"message": [message] * 80}), "m").message[79] == message


def test_identity_is_known_when_the_message_is_too_deep() -> None:
    """A broadcast that an earlier release has opened goes on."""
    body = f'{{"message": {nested(MOST_LEVELS + 1)}}}'

    assert identity_of(body, "m") == ("m", Broadcast("m", json.loads(nested(65))).digest)
