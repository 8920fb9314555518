"""Rows and messages of the release before are read, and ours have the same shape."""

import json
from collections.abc import Callable

import pytest

from broadcasting.backlog import Backlog, ShardCursor, parse_backlog
from broadcasting.connection import Connection
from broadcasting.counter_items import counter_of
from broadcasting.items import Item, key_attributes
from broadcasting.ledger_items import (
    frame_row_of,
    key_of,
    slice_of,
    summary_of,
    to_item,
)
from broadcasting.ledger_rows import (
    ChannelEntry,
    FailedConnection,
    FailedRow,
    FrameRow,
    Row,
    SliceRow,
    Summary,
)
from broadcasting.message import identity_of, parse_broadcast
from broadcasting.numbering import Counter
from broadcasting.receipt import Receipt
from broadcasting.slice_message import encode_slice_message, parse_slice_message
from tests.support import samples

DIGEST = samples.SUMMARY["digest"]["S"]
SUMMARY = Summary(
    "news-1",
    DIGEST,
    "*",
    7,
    opened_ms=samples.NOW_MS,
    expires_ms=samples.NOW_MS + 60_000,
    counts=Receipt(3, delivered=1, gone=1, failed=1, throttled=2),
    open_slices=2,
    slices=3,
    version=4,
)
ROOT_SLICE = SliceRow(
    "news-1",
    "0",
    Backlog(
        (ShardCursor("all#3", "abc="), ShardCursor("all#4")),
        (Connection("x=", samples.NOW_MS - 5, 1),),
    ),
    Receipt(5, delivered=2, gone=1, failed=1, throttled=7),
    owner="f00d",
    leased_until_ms=samples.NOW_MS + 65_000,
    unannounced=("2",),
    failed_rows=1,
    hops=2,
    version=5,
)
SLICE_IN_OUTAGE = SliceRow(
    "news-1",
    "2",
    Backlog(connections=(Connection("y=", samples.NOW_MS - 5, 1),)),
    Receipt(1),
    leased_until_ms=samples.NOW_MS + 5_000,
    version=2,
    outage_since_ms=samples.NOW_MS - 9_000,
    outage_rounds=2,
    delivered_before=9,
    gone_before=4,
    given_up="403 Forbidden",
)
COUNTER = Counter(7, epoch="")
ENTRY = ChannelEntry("*", 7, "news-1", samples.NOW_MS, version=1)
FRAME = FrameRow("*", 7, samples.FRAME["frame"]["S"], version=1)
FAILED = FailedRow("news-1", "0", 0, (FailedConnection("z=", "413 too large"),), version=1)
ROWS = (SUMMARY, ROOT_SLICE, SLICE_IN_OUTAGE, ENTRY, FRAME, FAILED)


@pytest.mark.parametrize(
    ("item", "read", "row"),
    [
        (samples.SUMMARY, summary_of, SUMMARY),
        (samples.ROOT_SLICE, slice_of, ROOT_SLICE),
        (samples.SLICE_IN_OUTAGE, slice_of, SLICE_IN_OUTAGE),
        (samples.COUNTER, counter_of, COUNTER),
        (samples.FRAME, frame_row_of, FRAME),
    ],
)
def test_row_of_the_release_before_is_read(
    item: Item, read: Callable[[Item], Row | Counter], row: Row | Counter
) -> None:
    """A deploy may come in the middle of a broadcast."""
    assert read(item) == row


@pytest.mark.parametrize(
    ("row", "item"),
    list(zip(ROWS, [one for one in samples.ROWS if one is not samples.COUNTER], strict=True)),
)
def test_row_of_this_release_is_that_of_the_release_before(row: Row, item: Item) -> None:
    """A function of the release before may still run, or come back when a deploy is undone."""
    written = to_item(row) | key_attributes(key_of(row))
    others = {"writer", "expiresAt"}  # the table adds these

    assert written == {name: value for name, value in item.items() if name not in others}


def test_backlog_of_the_release_before_is_read_when_it_is_compressed() -> None:
    """It is compressed from 1 KiB of JSON on."""
    backlog = parse_backlog(samples.COMPRESSED_BACKLOG)

    names = [f"c{number:04}=" for number in range(60)]
    assert backlog == Backlog(connections=tuple(Connection(n, samples.NOW_MS) for n in names))


def test_slice_message_of_the_release_before_is_read_and_written() -> None:
    """A message waits for up to 15 minutes, or in the dead-letter queue for days."""
    assert parse_slice_message(samples.SLICE_MESSAGE) == ("news-1", "2")
    assert encode_slice_message("news-1", "2") == samples.SLICE_MESSAGE


def test_message_of_a_broadcast_under_way_still_has_its_digest() -> None:
    """Else the broadcast would be rejected as another one under the same id."""
    broadcast = parse_broadcast(samples.BROADCAST_MESSAGE, "m")

    assert (broadcast.id, broadcast.digest, broadcast.ttl_seconds) == ("news-1", DIGEST, 60)
    assert identity_of(samples.BROADCAST_MESSAGE, "m") == ("news-1", DIGEST)
    assert json.loads(FRAME.frame)["message"] == broadcast.message
