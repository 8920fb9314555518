"""How a broadcast is opened: its first rows, once it has its number."""

import pytest

from broadcasting.audience import Audience
from broadcasting.backlog import ALL_SHARDS, whole_backlog
from broadcasting.errors import RejectedError
from broadcasting.ledger_opening import NewBroadcast, open_broadcast, require_same, void_row
from broadcasting.ledger_rows import ROOT, ChannelEntry, FrameRow, SliceRow, Summary
from broadcasting.numbering import Number

NEWS = Audience(channel="news", exclude=frozenset(("b=", "a=")))
NEW = NewBroadcast("b", "digest", NEWS, "frame {}".format, 500, 900, ALL_SHARDS)


def test_open_makes_all_rows_of_a_broadcast() -> None:
    """One number in all of them; what clients may ask for stands beside the frame."""
    opened = open_broadcast(
        NEW, Number(8, "k3f"), owner="me", until_ms=2_000, replay_seconds=86_400
    )

    assert opened.summary == Summary("b", "digest", "news", 8, opened_ms=500, expires_ms=900)
    assert opened.slice_row == SliceRow(
        "b", ROOT, ALL_SHARDS, owner="me", leased_until_ms=2_000, hops=1
    )
    assert opened.entry == ChannelEntry("news", 8, "b", 500)
    assert opened.frame == FrameRow(
        "news",
        8,
        "frame 8",
        epoch="k3f",
        until_ms=900,
        replay_until_ms=86_400_500,
        exclude=("a=", "b="),
    )
    assert not opened.frame.is_void


def test_open_keeps_the_ids_of_listed_connections_beside_the_frame() -> None:
    """In their order: a cursor names the last one that was taken."""
    listed = Audience(connections=("c=", "a="))
    new = NEW._replace(audience=listed, backlog=whole_backlog(listed))

    opened = open_broadcast(new, Number(1, "k"), owner="me", until_ms=1, replay_seconds=0)

    assert opened.frame.connections == ("c=", "a=")
    assert (opened.summary.channel, opened.frame.replay_until_ms) == ("!", 500)


def test_open_passes_on_a_frame_that_is_rejected() -> None:
    """No row is made for a frame that is too large."""

    def too_large(_: int) -> str:
        raise RejectedError("too large")

    new = NEW._replace(frame_of=too_large)

    with pytest.raises(RejectedError, match="too large"):
        open_broadcast(new, Number(8, "k"), owner="me", until_ms=1, replay_seconds=0)


def test_number_that_no_broadcast_has_gets_a_void_row() -> None:
    """It can be replayed as long as any other: a range with it in it is whole."""
    row = void_row("news", Number(8, "k"), now_ms=1_000, replay_seconds=60)

    assert row == FrameRow("news", 8, "", epoch="k", replay_until_ms=61_000)
    assert row.is_void


def test_broadcast_that_is_sent_again_is_the_same() -> None:
    """The same content under the same id."""
    require_same(Summary("b", "digest", "news", 1, opened_ms=1), NEW)


def test_broadcast_is_rejected_when_its_id_is_anothers() -> None:
    """The error says which one the ledger has."""
    other = Summary("b", "another", "news", 4, opened_ms=1)

    with pytest.raises(
        RejectedError, match=r"id b belongs to another broadcast, number 4 of .*news"
    ):
        require_same(other, NEW)
