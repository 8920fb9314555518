"""How a broadcast is opened: its number in the channel, its frame, its first rows. Pure."""

from collections.abc import Callable, Iterator
from itertools import count
from typing import NamedTuple

from broadcasting.backlog import Backlog
from broadcasting.errors import RejectedError
from broadcasting.ledger_rows import (
    ROOT,
    ChannelCounter,
    ChannelEntry,
    FrameRow,
    SliceRow,
    Summary,
)


class NewBroadcast(NamedTuple):
    """A broadcast to be opened. `frame_of` makes its frame from its number in the channel."""

    id: str
    digest: str
    channel: str
    frame_of: Callable[[int], str]
    opened_ms: int
    expires_ms: int
    backlog: Backlog


class Opened(NamedTuple):
    """The rows of a broadcast that is new, to be written together."""

    summary: Summary
    slice_row: SliceRow
    counter: ChannelCounter
    entry: ChannelEntry
    frame: FrameRow


def open_broadcast(
    new: NewBroadcast, counter: ChannelCounter, *, seq: int, owner: str, until_ms: int
) -> Opened:
    """Give a broadcast its number and its frame, and lease its first slice until `until_ms`.

    `seq` is one of `numbers_after(counter)`. Raises RejectedError when the frame is too large.
    """
    return Opened(
        Summary(new.id, new.digest, new.channel, seq, new.opened_ms, new.expires_ms),
        SliceRow(new.id, ROOT, new.backlog, owner=owner, leased_until_ms=until_ms, hops=1),
        counter._replace(last=seq),
        ChannelEntry(new.channel, seq, new.id, new.opened_ms),
        FrameRow(new.channel, seq, new.frame_of(seq)),
    )


def numbers_after(counter: ChannelCounter) -> Iterator[int]:
    """Yield the numbers that the next broadcast of a channel may have: it takes the first free one.

    The very first is free unless the counter's row was lost. Then the steps between the numbers
    double, so that few of those that were given before are tried.
    """
    return (counter.last + 2**step for step in count())


def require_same(found: Summary, new: NewBroadcast) -> None:
    """Raise RejectedError when the ledger has another broadcast under the id of a new one."""
    if found.digest != new.digest:
        raise RejectedError(
            f"id {new.id} belongs to another broadcast, number {found.seq} of channel "
            f"{found.channel}; expected the same content, or an id of its own"
        )
