"""The rows of the ledger: `ledger` says how they change, `ledger_items` how they are kept.

| row            | how many                          | written                                    |
|----------------|-----------------------------------|--------------------------------------------|
| Summary        | one for each broadcast            | when it opens, and a slice splits or closes |
| SliceRow       | one for each slice                | at each checkpoint                         |
| FailedRow      | one for some failed connections   | once                                       |
| ChannelCounter | one for each channel              | when a broadcast opens                     |
| ChannelEntry   | one for each number in a channel  | once                                       |
| FrameRow       | one for each number in a channel  | once                                       |

`version` counts how often a row was written; 0 is a row that is not written yet. Times are in
epoch milliseconds, and 0 stands for none.
"""

from typing import NamedTuple, TypeVar, cast

from broadcasting.backlog import Backlog
from broadcasting.receipt import Receipt

ROOT = "0"
"""The id of the slice that every broadcast begins with."""


class Outage(NamedTuple):
    """The rounds in a row that counted for no connection: their number, and when they began.

    Both are 0 when the last round counted.
    """

    since_ms: int = 0
    rounds: int = 0


NO_OUTAGE = Outage()


class Summary(NamedTuple):
    """One broadcast: the sums of its closed slices, and the number of those that are open.

    `frame` is for rows of an earlier release, which kept the frame here; it is empty in new rows.
    """

    id: str
    digest: str
    channel: str
    seq: int
    opened_ms: int
    expires_ms: int = 0
    counts: Receipt = Receipt()
    open_slices: int = 1
    slices: int = 1
    settled_ms: int = 0
    version: int = 0
    frame: str = ""

    @property
    def is_settled(self) -> bool:
        """Whether every connection has ended."""
        return self.settled_ms > 0


class SliceRow(NamedTuple):
    """One slice of a broadcast: a part of its audience that one worker at a time posts to.

    `hops` counts how often it was taken up since a connection ended in it. `unannounced` are the
    slices that were split off and whose messages may not have been sent. `failed_rows` counts the
    rows of failed connections that it has written. `outage_since_ms` and `outage_rounds` are an
    Outage. `delivered_before` and `gone_before` are what the broadcast had reached when this slice
    was split off: the evidence for judging refusals. `given_up` says why its message is in the
    dead-letter queue, and is empty when it is not there.
    """

    broadcast_id: str
    id: str
    backlog: Backlog
    counts: Receipt = Receipt()
    owner: str = ""
    leased_until_ms: int = 0
    """When it becomes free: its lease runs out then or, without an owner, its delay is over."""
    unannounced: tuple[str, ...] = ()
    failed_rows: int = 0
    hops: int = 0
    is_closed: bool = False
    version: int = 0
    outage_since_ms: int = 0
    outage_rounds: int = 0
    delivered_before: int = 0
    gone_before: int = 0
    given_up: str = ""

    @property
    def outage(self) -> Outage:
        """The rounds in a row that counted for no connection."""
        return Outage(self.outage_since_ms, self.outage_rounds)

    def is_free(self, now_ms: int) -> bool:
        """Whether it can be leased: no worker owns it, and its delay is over."""
        return not self.is_closed and self.leased_until_ms <= now_ms


class ChannelCounter(NamedTuple):
    """The counter of a channel: the number of its last broadcast."""

    channel: str
    last: int = 0
    version: int = 0


class ChannelEntry(NamedTuple):
    """Which broadcast has a number in a channel: for lists, and for clients that missed it."""

    channel: str
    seq: int
    broadcast_id: str
    opened_ms: int
    version: int = 0


class FrameRow(NamedTuple):
    """The frame of the broadcast that has a number in a channel: written once, never changed."""

    channel: str
    seq: int
    frame: str
    version: int = 0


class FailedConnection(NamedTuple):
    """A connection that has failed, and why."""

    id: str
    reason: str


class FailedRow(NamedTuple):
    """Some of the connections that failed in a slice; `number` counts the rows of the slice."""

    broadcast_id: str
    slice_id: str
    number: int
    failed: tuple[FailedConnection, ...]
    version: int = 0


Row = Summary | SliceRow | ChannelCounter | ChannelEntry | FrameRow | FailedRow

_AnyRow = TypeVar("_AnyRow", bound=Row)


def next_version(row: _AnyRow) -> _AnyRow:
    """Return a row as it is once it has been written."""
    return cast("_AnyRow", row._replace(version=row.version + 1))


class Lease(NamedTuple):
    """A slice that is ours until it is released or closed, or until the lease runs out.

    `frame` is empty when the slice's backlog is.
    """

    summary: Summary
    slice_row: SliceRow
    frame: str
