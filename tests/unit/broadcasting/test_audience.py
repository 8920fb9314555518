"""Whom a broadcast is for, and what follows from it."""

from typing import Any

import pytest

from broadcasting.audience import (
    EVERYONE,
    LISTED,
    Audience,
    channel_in_frame,
    content_of,
    row_key,
    stream_of_user,
    user_of_stream,
    words_of,
)
from broadcasting.backlog import ALL_SHARDS, whole_backlog
from broadcasting.channel_rows import channel_key, channel_partitions
from broadcasting.connection_row import connection_key
from broadcasting.user_rows import user_key

NAMES = frozenset({"a="})


@pytest.mark.parametrize(
    ("audience", "stream", "channel", "partitions"),
    [
        (Audience(), "*", "*", tuple(one.partition for one in ALL_SHARDS.shards)),
        (Audience(channel="news"), "news", "news", channel_partitions("news")),
        (Audience(channel="user:a"), "user:a", "user:a", channel_partitions("user:a")),
        (Audience(user="a#b"), "user#a#b", "@", ("user#a#b",)),
        (Audience(user="*"), "user#*", "@", ("user#*",)),
        (Audience(connections=("a=", "b=")), "!", "!", ("!",)),
    ],
)
@pytest.mark.parametrize("exclude", [frozenset(), NAMES])
def test_audience_has_a_stream_and_partitions(
    audience: Audience,
    stream: str,
    channel: str,
    partitions: tuple[str, ...],
    exclude: frozenset[str],
) -> None:
    """They do not depend on those that it leaves out; a frame never names a user."""
    audience = Audience(
        channel=audience.channel,
        user=audience.user,
        connections=audience.connections,
        exclude=exclude,
    )

    assert (audience.stream, channel_in_frame(audience.stream)) == (stream, channel)
    assert audience.partitions == partitions
    assert tuple(one.partition for one in whole_backlog(audience).shards) == partitions


@pytest.mark.parametrize(
    "wrong",
    [
        {"channel": ""},
        {"channel": "*"},
        {"channel": "a#b"},
        {"channel": "x" * 65},
        {"user": ""},
        {"user": "a\tb"},
        {"connections": ("a b",)},
        {"connections": ("",)},
        {"connections": ("a",) * 1_001},
        {"exclude": frozenset({"a\n"})},
        {"exclude": frozenset(map(str, range(1_001)))},
        {"channel": "a", "user": "a"},
        {"channel": "a", "connections": ("a",)},
        {"user": "a", "connections": ("a",)},
    ],
)
def test_audience_refuses_what_no_producer_may_ask_for(wrong: Any) -> None:
    """A wrong one cannot exist; the message says what was expected."""
    with pytest.raises(ValueError, match="expected"):
        Audience(**wrong)


def test_audience_takes_a_thousand_ids() -> None:
    """To be listed, and to be left out."""
    ids = tuple(map(str, range(1_000)))

    audience = Audience(connections=ids, exclude=frozenset(ids))

    assert (len(audience.connections), len(audience.exclude)) == (1_000, 1_000)


@pytest.mark.parametrize(
    ("stream", "key"),
    [
        (EVERYONE, connection_key("a=")),
        (LISTED, connection_key("a=")),
        ("news", channel_key("news", "a=")),
        ("user#a#b", user_key("a#b", "a=")),
    ],
)
def test_row_of_a_connection_follows_from_the_stream(stream: str, key: tuple[str, str]) -> None:
    """By this row a broadcast has found it: it is deleted after a 410."""
    assert row_key(stream, "a=") == key


def test_stream_of_a_user_is_no_channel() -> None:
    """No channel's name has the sign that parts them."""
    assert user_of_stream(stream_of_user("a#b")) == "a#b"
    assert user_of_stream("news") is None
    assert user_of_stream("user:a") is None


def test_content_is_what_a_message_says_of_its_audience() -> None:
    """Also of one that today's limits refuse; nothing when it is for everyone."""
    audience = Audience(connections=("b", "a"), exclude=frozenset("dc"))

    assert audience.content == {"connections": ["a", "b"], "exclude": ["c", "d"]}
    assert Audience(user="u").content == {"user": "u"}
    assert Audience().content == content_of({"message": 1, "exclude": []}) == {}
    assert content_of({"channel": "x" * 70, "exclude": ["b", "a", "b"]}) == {
        "channel": "x" * 70,
        "exclude": ["a", "b"],
    }


@pytest.mark.parametrize(
    ("audience", "words"),
    [
        (Audience(), "everyone"),
        (Audience(channel="user:a"), "channel user:a"),
        (Audience(user="a#b"), "user a#b"),
        (Audience(connections=("a=",)), "listed connections"),
    ],
)
def test_audience_has_words_for_people(audience: Audience, words: str) -> None:
    """A stream of a user is not called a channel."""
    assert words_of(audience.stream) == words
