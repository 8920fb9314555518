"""The rows of the ledger: `ledger` says how they change, `ledger_items` how they are kept.

| row            | how many                          | written                                    |
|----------------|-----------------------------------|--------------------------------------------|
| Summary        | one for each broadcast            | when it opens, and a slice splits or closes |
| SliceRow       | one for each slice                | at each checkpoint                         |
| FailedRow      | one for some failed connections   | once                                       |
| ChannelEntry   | one for each number in a stream   | once                                       |
| FrameRow       | one for each number in a stream   | once                                       |

A stream is what is numbered together: a channel, everyone, a user, or broadcasts to connections by
their ids. `numbering` has its counter. `version` counts how often a row was written; 0 is a row
that is not written yet. Times are in epoch milliseconds, and 0 stands for none.
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

    `channel` is its stream, in which `seq` is its number; `audience` has the names of streams.
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


class ChannelEntry(NamedTuple):
    """Which broadcast has a number in a stream: for lists."""

    channel: str
    seq: int
    broadcast_id: str
    opened_ms: int
    version: int = 0


class FrameRow(NamedTuple):
    """The frame of the broadcast that has a number in a stream: written once, never changed.

    `exclude` are the connections that it is not for, `connections` those that it is for, if it
    names any. It is not sent after `until_ms`, and not sent again to clients that missed it after
    `replay_until_ms`; rows of an earlier release have no such time, and no epoch. A number that was
    taken and never used has a void row: an empty frame.
    """

    channel: str
    seq: int
    frame: str
    version: int = 0
    epoch: str = ""
    until_ms: int = 0
    replay_until_ms: int = 0
    exclude: tuple[str, ...] = ()
    connections: tuple[str, ...] = ()

    @property
    def is_void(self) -> bool:
        """Whether no broadcast has the number."""
        return not self.frame


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


Row = Summary | SliceRow | ChannelEntry | FrameRow | FailedRow

_AnyRow = TypeVar("_AnyRow", bound=Row)


def next_version(row: _AnyRow) -> _AnyRow:
    """Return a row as it is once it has been written."""
    return cast("_AnyRow", row._replace(version=row.version + 1))


class Lease(NamedTuple):
    """A slice that is ours until it is released or closed, or until the lease runs out.

    `frame` is what it posts, and `exclude` and `connections` are those of the frame's row; all are
    empty when the slice's backlog is.
    """

    summary: Summary
    slice_row: SliceRow
    frame: str
    exclude: tuple[str, ...] = ()
    connections: tuple[str, ...] = ()
