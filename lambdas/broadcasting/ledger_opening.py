"""How a broadcast is opened: its first rows, once it has its number in the stream. Pure."""

from collections.abc import Callable
from typing import NamedTuple

from broadcasting.audience import Audience, words_of
from broadcasting.backlog import Backlog
from broadcasting.errors import RejectedError
from broadcasting.ledger_rows import ROOT, ChannelEntry, FrameRow, SliceRow, Summary
from broadcasting.numbering import Number


class NewBroadcast(NamedTuple):
    """A broadcast to be opened. `frame_of` makes its frame from its number in the stream."""

    id: str
    digest: str
    audience: Audience
    frame_of: Callable[[int], str]
    opened_ms: int
    expires_ms: int
    backlog: Backlog

    @property
    def stream(self) -> str:
        """The stream in which it is numbered."""
        return self.audience.stream


class Opened(NamedTuple):
    """The rows of a broadcast that is new, to be written together."""

    summary: Summary
    slice_row: SliceRow
    entry: ChannelEntry
    frame: FrameRow


def open_broadcast(
    new: NewBroadcast, number: Number, *, owner: str, until_ms: int, replay_seconds: int
) -> Opened:
    """Make the rows of a broadcast that has its number; its first slice is leased until `until_ms`.

    A client that missed it may ask for it for `replay_seconds`; 0 is for never. Raises
    RejectedError when the frame is too large.
    """
    stream, seq = new.stream, number.seq
    return Opened(
        Summary(new.id, new.digest, stream, seq, new.opened_ms, new.expires_ms),
        SliceRow(new.id, ROOT, new.backlog, owner=owner, leased_until_ms=until_ms, hops=1),
        ChannelEntry(stream, seq, new.id, new.opened_ms),
        FrameRow(
            stream,
            seq,
            new.frame_of(seq),
            epoch=number.epoch,
            until_ms=new.expires_ms,
            replay_until_ms=new.opened_ms + replay_seconds * 1000,
            exclude=tuple(sorted(new.audience.exclude)),
            connections=new.audience.connections,
        ),
    )


def void_row(stream: str, number: Number, *, now_ms: int, replay_seconds: int) -> FrameRow:
    """Return the row that says that no broadcast has a number, nor will have it."""
    return FrameRow(
        stream,
        number.seq,
        "",
        epoch=number.epoch,
        replay_until_ms=now_ms + replay_seconds * 1000,
    )


def require_same(found: Summary, new: NewBroadcast) -> None:
    """Raise RejectedError when the ledger has another broadcast under the id of a new one."""
    if found.digest != new.digest:
        raise RejectedError(
            f"id {new.id} belongs to another broadcast, number {found.seq} of those to "
            f"{words_of(found.channel)}; expected the same message and audience, or an id of its "
            "own"
        )
