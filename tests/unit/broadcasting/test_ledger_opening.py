"""How a broadcast is opened: its number, its frame and its first rows."""

from itertools import islice

import pytest

from broadcasting.backlog import ALL_SHARDS
from broadcasting.errors import RejectedError
from broadcasting.ledger_opening import (
    NewBroadcast,
    numbers_after,
    open_broadcast,
    require_same,
)
from broadcasting.ledger_rows import (
    ROOT,
    ChannelCounter,
    ChannelEntry,
    FrameRow,
    SliceRow,
    Summary,
)

NEW = NewBroadcast("b", "digest", "news", "frame {}".format, 500, 900, ALL_SHARDS)
COUNTER = ChannelCounter("news", last=7, version=3)


def test_open_makes_all_rows_of_a_broadcast() -> None:
    """One number in all of them; the counter is written against the version that was read."""
    opened = open_broadcast(NEW, COUNTER, seq=8, owner="me", until_ms=2_000)

    assert opened.summary == Summary("b", "digest", "news", 8, opened_ms=500, expires_ms=900)
    assert opened.slice_row == SliceRow(
        "b", ROOT, ALL_SHARDS, owner="me", leased_until_ms=2_000, hops=1
    )
    assert opened.counter == ChannelCounter("news", last=8, version=3)
    assert opened.entry == ChannelEntry("news", 8, "b", 500)
    assert opened.frame == FrameRow("news", 8, "frame 8")


def test_open_passes_on_a_frame_that_is_rejected() -> None:
    """No row is made for a frame that is too large."""

    def too_large(_: int) -> str:
        raise RejectedError("too large")

    with pytest.raises(RejectedError, match="too large"):
        open_broadcast(NEW._replace(frame_of=too_large), COUNTER, seq=8, owner="me", until_ms=1)


def test_numbers_begin_with_the_next_one_and_go_on_in_steps_that_double() -> None:
    """A counter that was lost is behind by any number: few of them are tried."""
    assert list(islice(numbers_after(COUNTER), 5)) == [8, 9, 11, 15, 23]


def test_broadcast_that_is_sent_again_is_the_same() -> None:
    """The same content under the same id, in whatever channel it stands."""
    require_same(Summary("b", "digest", "*", 1, opened_ms=1), NEW)


def test_broadcast_is_rejected_when_its_id_is_anothers() -> None:
    """The error says which one the ledger has."""
    other = Summary("b", "another", "news", 4, opened_ms=1)

    with pytest.raises(
        RejectedError, match=r"id b belongs to another broadcast, number 4 of .*news"
    ):
        require_same(other, NEW)
