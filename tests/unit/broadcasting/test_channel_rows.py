"""The rows of a channel's connections."""

from collections import Counter

from broadcasting.channel_rows import (
    CHANNEL_SHARDS,
    channel_item,
    channel_key,
    channel_partitions,
)
from broadcasting.connection import Connection
from broadcasting.connection_row import connection_of


def test_channel_row_has_these_attributes() -> None:
    """Frozen: rows that are there are read, and the subscriptions are written so."""
    item = channel_item("news", Connection("abc=", 1_700_000_000_000), 1_700_000_060)

    assert item == {
        "pk": {"S": "channel#news#1"},
        "sk": {"S": "abc="},
        "connectedAt": {"N": "1700000000000"},
        "expiresAt": {"N": "1700000060"},
    }
    assert connection_of(item) == Connection("abc=", 1_700_000_000_000)


def test_channel_has_four_partitions_of_about_the_same_size() -> None:
    """A row's key follows from the names alone, and is in one of them."""
    keys = [channel_key("a", f"c{number}=") for number in range(4_000)]
    sizes = Counter(key[0] for key in keys)

    assert sorted(sizes) == list(channel_partitions("a")) == [f"channel#a#{n}" for n in range(4)]
    assert len(sizes) == CHANNEL_SHARDS
    assert all(800 < size < 1_200 for size in sizes.values())
