"""Which channels a pattern allows."""

import pytest

from access.channels import may_use, read_patterns


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
