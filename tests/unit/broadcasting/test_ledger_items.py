"""The ledger's rows as items."""

import json

import pytest
from hypothesis import given

from broadcasting.backlog import Backlog
from broadcasting.items import Item
from broadcasting.ledger_items import (
    counter_key,
    frame_key,
    frame_row_of,
    key_of,
    slice_key,
    slice_of,
    summary_key,
    summary_of,
    to_item,
)
from broadcasting.ledger_rows import (
    ChannelEntry,
    FailedRow,
    FrameRow,
    Row,
    SliceRow,
    Summary,
)
from tests.support.strategies import (
    ENTRIES,
    FAILED_ROWS,
    FRAME_ROWS,
    SLICES,
    SUMMARIES,
)

SUMMARY = Summary("b", "d", "news", 7, opened_ms=1)
EXTRA: Item = {"pk": {"S": "p"}, "sk": {"S": "s"}, "expiresAt": {"N": "1"}, "writer": {"S": "w"}}


@given(SUMMARIES)
def test_summary_survives_the_table(summary: Summary) -> None:
    """Key, expiry and writer beside it are not its own."""
    assert summary_of(to_item(summary) | EXTRA) == summary


@given(SLICES)
def test_slice_survives_the_table(slice_row: SliceRow) -> None:
    """With its backlog, sums and announcements."""
    assert slice_of(to_item(slice_row) | EXTRA) == slice_row


@given(FRAME_ROWS)
def test_frame_survives_the_table(row: FrameRow) -> None:
    """Character by character: it is what clients receive."""
    assert frame_row_of(to_item(row) | EXTRA) == row


def test_rows_of_an_earlier_release_are_read() -> None:
    """A summary may hold the frame itself, and a slice may lack the attributes of outages."""
    frame: Item = {"frame": {"S": "frame"}}
    item = to_item(SUMMARY) | frame
    slice_row = to_item(SliceRow("b", "1", Backlog()))

    assert summary_of(item).frame == "frame"
    assert to_item(summary_of(item))["frame"] == frame["frame"]
    assert not {"outage_since_ms", "outage_rounds", "given_up", "gone_before"} & set(slice_row)
    assert slice_of(slice_row) == SliceRow("b", "1", Backlog())


def test_summary_of_this_release_holds_no_frame() -> None:
    """Splits and closings write it again and again."""
    assert "frame" not in to_item(SUMMARY)


@given(FAILED_ROWS)
def test_failed_connections_are_kept_as_pairs(row: FailedRow) -> None:
    """JSON that any reader understands."""
    assert json.loads(to_item(row)["failed"]["S"]) == [list(pair) for pair in row.failed]


@given(ENTRIES)
def test_recent_broadcast_is_kept_with_its_number(row: ChannelEntry) -> None:
    """Enough to find the broadcast."""
    item = to_item(row)

    assert (item["broadcast_id"]["S"], int(item["seq"]["N"])) == (row.broadcast_id, row.seq)


@pytest.mark.parametrize(
    ("row", "key"),
    [
        (SUMMARY, ("broadcast#b", "summary")),
        (SliceRow("b", "12", Backlog()), ("broadcast#b", "slice#12")),
        (FailedRow("b", "12", 3, ()), ("broadcast#b", "failed#12#000003")),
        (ChannelEntry("news", 7, "b", 1), ("channel#news", "seq#000000000007")),
        (FrameRow("news", 7, "f"), ("channel#news", "frame#000000000007")),
    ],
)
def test_rows_have_their_keys(row: Row, key: tuple[str, str]) -> None:
    """Frozen: rows that are there are found by them; numbers sort as text."""
    assert key_of(row) == key


def test_keys_can_be_made_of_ids() -> None:
    """A row is read by the same key that it is written with."""
    assert summary_key("b") == key_of(SUMMARY)
    assert slice_key("b", "1") == key_of(SliceRow("b", "1", Backlog()))
    assert counter_key("news") == ("channel#news", "sequence")
    assert frame_key("news", 7) == key_of(FrameRow("news", 7, "f"))


@pytest.mark.parametrize(("settled_ms", "status"), [(0, "open"), (5, "settled")])
def test_summary_says_its_status_in_words(settled_ms: int, status: str) -> None:
    """For a person who looks at the table."""
    summary = Summary("b", "d", "*", 1, 1, settled_ms=settled_ms)

    assert to_item(summary)["status"] == {"S": status}


@pytest.mark.parametrize("item", [{}, {"status": {"S": "open"}}, {"id": {"S": "b"}}])
def test_other_items_are_no_rows(item: Item) -> None:
    """One of three errors says so."""
    for read in (summary_of, slice_of):
        with pytest.raises((KeyError, TypeError, ValueError)):
            read(item)
