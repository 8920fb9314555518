"""The ledger's rows as items of DynamoDB: numbers and texts as they are, all else as JSON.

The only place that knows keys and attributes; a row of an earlier release is read as well. The key
of a row begins with what it belongs to, a broadcast or a channel, and its kind.
"""

import json
from dataclasses import asdict
from typing import Any, Final

from broadcasting.backlog import encode_backlog, parse_backlog
from broadcasting.items import (
    EXPIRY,
    PARTITION_KEY,
    SORT_KEY,
    Item,
    Key,
    attribute_of,
    value_of,
)
from broadcasting.ledger_rows import (
    ChannelEntry,
    FailedRow,
    FrameRow,
    Row,
    SliceRow,
    Summary,
)
from broadcasting.receipt import Receipt

LIFE_SECONDS = 7 * 24 * 3600
"""How long the rows of a broadcast are kept; `numbering` has the life of a counter."""

LIFE_DAYS = LIFE_SECONDS // (24 * 3600)

SLICES, FAILED, ENTRIES, FRAMES = "slice#", "failed#", "seq#", "frame#"
"""How the sort keys of several rows of one kind begin."""

BACKLOG, STATUS, WRITER = "work", "status", "writer"
"""Attributes that have another name than their field, or no field: a slice's backlog, a summary's
state in words, and a mark of the write that a row is of."""

SUMMARY_ATTRIBUTES: Final = (
    *(name for name in Summary._fields if name != "frame"),
    STATUS,
)
"""The attributes of a summary of this release."""

_LEFT_OUT_WHEN_EMPTY = (
    *("frame", "outage_since_ms", "outage_rounds"),
    *("delivered_before", "gone_before", "given_up"),
    *("epoch", "until_ms", "replay_until_ms", "exclude", "connections"),
)
"""Attributes that rows of some release lack: a row without them is read as if they were empty."""


_IDS: Final = ("exclude", "connections")
"""Attributes that hold ids with a space between two: no id has one."""


def key_of(row: Row) -> Key:
    """Return the key of a row."""
    match row:
        case Summary():
            return summary_key(row.id)
        case SliceRow():
            return slice_key(row.broadcast_id, row.id)
        case ChannelEntry():
            return entry_key(row.channel, row.seq)
        case FrameRow():
            return frame_key(row.channel, row.seq)
    return failed_key(row.broadcast_id, row.slice_id, row.number)


def partition_of_broadcast(broadcast_id: str) -> str:
    """Return the partition key of all rows of a broadcast."""
    return f"broadcast#{broadcast_id}"


def partition_of_channel(channel: str) -> str:
    """Return the partition key of all rows of a channel."""
    return f"channel#{channel}"


def summary_key(broadcast_id: str) -> Key:
    """Return the key of a broadcast's summary."""
    return partition_of_broadcast(broadcast_id), "summary"


def slice_key(broadcast_id: str, slice_id: str) -> Key:
    """Return the key of a slice."""
    return partition_of_broadcast(broadcast_id), f"{SLICES}{slice_id}"


def counter_key(channel: str) -> Key:
    """Return the key of a channel's counter."""
    return partition_of_channel(channel), "sequence"


def entry_key(channel: str, seq: int) -> Key:
    """Return the key of the entry that has a number in a channel."""
    return partition_of_channel(channel), f"{ENTRIES}{seq:012d}"


def frame_key(channel: str, seq: int) -> Key:
    """Return the key of the frame that has a number in a channel."""
    return partition_of_channel(channel), f"{FRAMES}{seq:012d}"


def failed_key(broadcast_id: str, slice_id: str, number: int) -> Key:
    """Return the key of a row of failed connections; `number` counts those of the slice."""
    return partition_of_broadcast(broadcast_id), f"{FAILED}{slice_id}#{number:06d}"


def to_item(row: Row) -> Item:
    """Return a row as an item, its key and expiry aside."""
    values: dict[str, Any] = row._asdict()
    match row:
        case Summary():
            values["counts"] = _counts_text(row.counts)
            values[STATUS] = "settled" if row.is_settled else "open"
        case SliceRow():
            values["counts"] = _counts_text(row.counts)
            values[BACKLOG] = encode_backlog(values.pop("backlog"))
            values["unannounced"] = json.dumps(row.unannounced)
            values["is_closed"] = int(row.is_closed)
        case FailedRow():
            values["failed"] = json.dumps(row.failed)
        case FrameRow():
            values |= {name: " ".join(values[name]) for name in _IDS}
        case _:
            pass
    is_void = isinstance(row, FrameRow) and row.is_void
    return {
        name: attribute_of(value)
        for name, value in values.items()
        if value or name not in _LEFT_OUT_WHEN_EMPTY or (is_void and name == "frame")
    }


def summary_of(item: Item) -> Summary:
    """Read a summary. Raises KeyError, TypeError or ValueError for any other item."""
    values = _values(item)
    del values[STATUS]
    return Summary(**values | {"counts": _counts(values["counts"])})


def slice_of(item: Item) -> SliceRow:
    """Read a slice. Raises KeyError, TypeError or ValueError for any other item."""
    values = _values(item)
    backlog = parse_backlog(values.pop(BACKLOG))
    return SliceRow(
        **values
        | {
            "backlog": backlog,
            "counts": _counts(values["counts"]),
            "unannounced": tuple(json.loads(values["unannounced"])),
            "is_closed": bool(values["is_closed"]),
        }
    )


def frame_row_of(item: Item) -> FrameRow:
    """Read a frame. Raises KeyError, TypeError or ValueError for any other item."""
    values = _values(item)
    return FrameRow(**values | {name: tuple(values.get(name, "").split()) for name in _IDS})


def _values(item: Item) -> dict[str, Any]:
    """Return the attributes that are fields of a row, or stand for one."""
    others = (PARTITION_KEY, SORT_KEY, EXPIRY, WRITER)
    return {name: value_of(value) for name, value in item.items() if name not in others}


def _counts_text(counts: Receipt) -> str:
    """Return sums as JSON; without `excluded` they are those that an earlier release reads."""
    sums = asdict(counts)
    if not counts.excluded:
        del sums["excluded"]
    return json.dumps(sums)


def _counts(text: str) -> Receipt:
    return Receipt(**json.loads(text))
