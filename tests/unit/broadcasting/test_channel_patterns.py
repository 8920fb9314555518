"""Which channels a pattern allows."""

import re

import pytest

from broadcasting.channel_patterns import may_use, read_patterns


@pytest.mark.parametrize(
    ("channel", "is_allowed"),
    [
        *(("news", True), ("news.eu", False), ("game:1", True), ("game:", True), ("game", False)),
        *(("", False), ("NEWS", False)),
    ],
)
def test_patterns_allow_a_name_or_a_beginning(channel: str, is_allowed: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """Letter by letter."""
    assert may_use(channel, ("news", "game:*")) is is_allowed


def test_pattern_of_all_allows_all() -> None:
    """A `*` by itself; without any pattern nothing is allowed."""
    assert may_use("anything", ("*",))
    assert not may_use("anything", ())


@pytest.mark.parametrize("found", [["a", "b*"], "a b*"])
def test_patterns_are_read_from_a_list_or_a_text(found: object) -> None:
    """As issuers write them."""
    assert read_patterns(found) == ("a", "b*")


@pytest.mark.parametrize(
    ("found", "word"),
    [
        *(("a  b", "''"), (["a*b"], "'a*b'"), ([""], "''"), ([7], "7"), (7, "7"), ({}, "{}")),
        *((["a"] * 101, "up to 100"), (["a" * 65], "1 to 64"), (["x" * 60] * 70, "4,269")),
    ],
)
def test_patterns_are_refused_with_what_was_found(found: object, word: str) -> None:
    """A `*` ends a pattern, and there is a most of all."""
    with pytest.raises(ValueError, match=re.escape(word)):
        read_patterns(found)
