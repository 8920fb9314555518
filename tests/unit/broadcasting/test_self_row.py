"""The row that says which other rows a connection has."""

from typing import Any

import pytest

from broadcasting.channel_rows import channel_key
from broadcasting.items import Item, key_attributes
from broadcasting.self_row import channels_of, other_keys, user_of
from broadcasting.user_rows import self_key, user_key

KEY = key_attributes(self_key("abc="))


def test_self_row_lists_the_keys_of_all_other_rows() -> None:
    """Of its user, and of each channel."""
    item: Any = {**KEY, "user": {"S": "a#b"}, "channels": {"SS": ["news", "a.b:c"]}}

    assert (user_of(item), channels_of(item)) == ("a#b", ["a.b:c", "news"])
    assert other_keys(item) == [
        user_key("a#b", "abc="),
        channel_key("a.b:c", "abc="),
        channel_key("news", "abc="),
    ]


@pytest.mark.parametrize("item", [{}, KEY, {**KEY, "channels": {"SS": ["a b", "", "*"]}}])
def test_self_row_lists_nothing_when_it_names_nothing(item: Item) -> None:
    """There is none, or it names neither a user nor a channel that there may be."""
    assert other_keys(item) == []


@pytest.mark.parametrize("channels", [{}, {"S": "news"}, {"L": [{"S": "news"}]}, {"NULL": True}])
def test_malformed_self_row_names_no_channel(channels: Any) -> None:
    """Its other rows are deleted all the same."""
    item: Any = {**KEY, "user": {"S": "alice"}, "channels": channels}

    assert channels_of(item) == []
    assert other_keys(item) == [user_key("alice", "abc=")]


@pytest.mark.parametrize(
    "item",
    [
        {},
        {"user": {}},
        {"user": {"N": "5"}},
        {"user": {"B": b"alice"}},
        {"user": {"S": ""}},
        {"user": {"S": "a\tb"}},
        {"user": {"S": "x" * 129}},
    ],
)
def test_malformed_self_row_says_no_user(item: Item) -> None:
    """No row of such a user can be there."""
    assert user_of(item) is None
