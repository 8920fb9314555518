"""The ledger's rows as DynamoDB items: numbers and texts as they are, the rest as JSON."""

import json
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from broadcasting.backlog import encode_backlog, parse_backlog
from broadcasting.ledger import SliceRow, Summary
from broadcasting.receipt import Receipt

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

LIFE_SECONDS = 7 * 24 * 3600
"""How long a broadcast's account is kept."""

_LEFT_OUT_WHEN_EMPTY = (
    *("frame", "outage_since_ms", "outage_rounds"),
    *("delivered_before", "gone_before", "given_up"),
)
"""Attributes that rows of some release lack: a row without them is read as if they were empty."""

Item = dict[str, "AttributeValueTypeDef"]


@dataclass(frozen=True, slots=True)
class ChannelCounter:
    """The counter of a channel: the number of its last broadcast."""

    channel: str
    last: int = 0
    version: int = 0


@dataclass(frozen=True, slots=True)
class ChannelEntry:
    """Which broadcast has a number in a channel: for lists, and for those who missed it."""

    channel: str
    seq: int
    broadcast_id: str
    opened_ms: int
    version: int = 0


@dataclass(frozen=True, slots=True)
class FrameRow:
    """The frame of the broadcast that has a number in a channel: written once, never changed."""

    channel: str
    seq: int
    frame: str
    version: int = 0


@dataclass(frozen=True, slots=True)
class FailedRow:
    """Some of the connections that failed in a slice, as pairs of id and reason."""

    broadcast_id: str
    slice_id: str
    number: int
    failed: tuple[tuple[str, str], ...]
    version: int = 0


Row = Summary | SliceRow | ChannelCounter | ChannelEntry | FrameRow | FailedRow


def key_of(row: Row) -> tuple[str, str]:
    """Return the partition and the sort key of a row."""
    match row:
        case Summary():
            return summary_key(row.id)
        case SliceRow():
            return slice_key(row.broadcast_id, row.id)
        case ChannelCounter():
            return counter_key(row.channel)
        case ChannelEntry():
            return entry_key(row.channel, row.seq)
        case FrameRow():
            return frame_key(row.channel, row.seq)
        case FailedRow():
            return f"broadcast#{row.broadcast_id}", f"failed#{row.slice_id}#{row.number:06d}"


def summary_key(broadcast_id: str) -> tuple[str, str]:
    """Return the key of a broadcast's summary."""
    return f"broadcast#{broadcast_id}", "summary"


def counter_key(channel: str) -> tuple[str, str]:
    """Return the key of a channel's counter."""
    return f"channel#{channel}", "sequence"


def entry_key(channel: str, seq: int) -> tuple[str, str]:
    """Return the key of what tells which broadcast has a number in a channel."""
    return f"channel#{channel}", f"seq#{seq:012d}"


def frame_key(channel: str, seq: int) -> tuple[str, str]:
    """Return the key of the frame that has a number in a channel."""
    return f"channel#{channel}", f"frame#{seq:012d}"


def slice_key(broadcast_id: str, slice_id: str) -> tuple[str, str]:
    """Return the key of a slice."""
    return f"broadcast#{broadcast_id}", f"slice#{slice_id}"


def to_item(row: Row) -> Item:
    """Return a row as an item, its key and expiry aside."""
    values: dict[str, Any] = {one.name: getattr(row, one.name) for one in fields(row)}
    match row:
        case Summary():
            values["counts"] = json.dumps(asdict(row.counts))
            values["status"] = "settled" if row.is_settled else "open"
        case SliceRow():
            values["counts"] = json.dumps(asdict(row.counts))
            values["work"] = encode_backlog(row.work)
            values["unannounced"] = json.dumps(row.unannounced)
            values["is_closed"] = int(row.is_closed)
        case FailedRow():
            values["failed"] = json.dumps(row.failed)
        case _:
            pass
    return {
        name: _attribute(value)
        for name, value in values.items()
        if value or name not in _LEFT_OUT_WHEN_EMPTY
    }


def summary_of(item: Item) -> Summary:
    """Read a summary. Raises KeyError, TypeError or ValueError for any other item."""
    values = _values(item)
    del values["status"]
    return Summary(**values | {"counts": _counts(values["counts"])})


def slice_of(item: Item) -> SliceRow:
    """Read a slice. Raises KeyError, TypeError or ValueError for any other item."""
    values = _values(item)
    return SliceRow(
        **values
        | {
            "counts": _counts(values["counts"]),
            "work": parse_backlog(values["work"]),
            "unannounced": tuple(json.loads(values["unannounced"])),
            "is_closed": bool(values["is_closed"]),
        }
    )


def counter_of(item: Item) -> ChannelCounter:
    """Read a channel's counter."""
    return ChannelCounter(**_values(item))


def frame_row_of(item: Item) -> FrameRow:
    """Read a frame. Raises KeyError or TypeError for any other item."""
    return FrameRow(**_values(item))


def _attribute(value: "int | str | bytes") -> "AttributeValueTypeDef":
    if isinstance(value, int):
        return {"N": str(value)}
    return {"B": value} if isinstance(value, bytes) else {"S": value}


def _value(attribute: "AttributeValueTypeDef") -> Any:
    if "N" in attribute:
        return int(attribute["N"])
    return attribute["B"] if "B" in attribute else attribute["S"]


def _values(item: Item) -> dict[str, Any]:
    return {
        name: _value(value)
        for name, value in item.items()
        if name not in ("pk", "sk", "expiresAt", "writer")
    }


def _counts(text: str) -> Receipt:
    return Receipt(**json.loads(text))
