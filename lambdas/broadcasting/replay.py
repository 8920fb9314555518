"""Which frames a client is given that comes back, and whether they are all. Pure.

A number up to the counter's `known_until` has its row, unless the row has expired; a higher one may
have it already. So the rows that are found are walked from the client's number on, for as long as
each next one is there, of the counter's epoch, and still replayed. A walk that ends before
`known_until` proves nothing: that is lost, and not partly given. Frames that lie behind a gap above
`known_until` are given, too: their posts may have come before the client's subscription. Of these
the newest is the one that matters: with it the client sees what it lacks, and asks.
"""

from collections.abc import Mapping
from typing import NamedTuple

from broadcasting.client_request import After, Last, Since
from broadcasting.ledger_rows import FrameRow
from broadcasting.numbering import Counter
from broadcasting.position import Lost, Position, Reason, frame_bytes


class Found(NamedTuple):
    """The rows of numbers, and the number up to which they were looked for.

    The newest rows of all numbers are among them, too, if they were looked for beyond what is known
    and one was not there.
    """

    rows: Mapping[int, FrameRow]
    until: int


class Viewer(NamedTuple):
    """Who is given frames: `ids` are its connections, earlier ones too; how many, and how long.

    A client that has missed more than `most_frames` is given none; `room_bytes` is what frames may
    take of an answer.
    """

    ids: frozenset[str]
    now_ms: int
    most_frames: int
    room_bytes: int


def numbers_wanted(counter: Counter, since: Since, *, most_frames: int) -> range:
    """Return the numbers whose rows have to be looked for: up to the last that was taken.

    What is taken after the counter was read comes to the client as a post.
    """
    if since is None or _why_lost(counter, since, most_frames):
        return range(0)
    return range(_base(counter, since) + 1, counter.last + 1)


def position_of(counter: Counter, since: Since, found: Found, viewer: Viewer) -> Position:
    """Return what a client is given of a channel; `found` are rows of all `numbers_wanted`."""
    seq = counter.known_until
    if since is None:
        return Position(epoch=counter.epoch, seq=seq, start=seq, end=seq)
    if reason := _why_lost(counter, since, viewer.most_frames):
        return _lost(counter, since, reason)
    usable = {
        number: row
        for number, row in found.rows.items()
        if row.epoch == counter.epoch and row.replay_until_ms > viewer.now_ms
    }
    start = _base(counter, since)
    if isinstance(since, Last):  # those before are not kept any more
        looked_at = range(start + 1, min(seq, found.until) + 1)
        start = max((number for number in looked_at if number not in usable), default=start)
    walk = _Walk(start, viewer)
    walk.follow(usable)
    if not walk.is_full and walk.end < found.until and walk.end < seq:
        return _lost(counter, since, Reason.EXPIRED)
    more = walk.is_full or found.until <= walk.end < counter.last
    if not more:
        more = not walk.pick_up(usable)
    return Position(
        epoch=counter.epoch,
        seq=seq,
        start=start,
        end=walk.end,
        frames=walk.frames,
        more=more,
    )


class _Walk:
    """A walk over rows, number by number, with the frames that are picked up on the way."""

    def __init__(self, start: int, viewer: Viewer) -> None:
        self.end = start
        self.is_full = False
        self._frames: dict[int, str] = {}
        self._viewer = viewer
        self._room_bytes = viewer.room_bytes

    def follow(self, rows: Mapping[int, FrameRow]) -> None:
        """Go on for as long as the next row is there, and its frame fits into the answer."""
        while (row := rows.get(self.end + 1)) is not None:
            if not self._take(row):
                self.is_full = True
                return
            self.end += 1

    def pick_up(self, rows: Mapping[int, FrameRow]) -> bool:
        """Take the frames behind the end that fit, the newest first; tell whether that one did.

        What else does not fit is no harm: the client sees a gap below the newest, and asks for it.
        An answer that begins at this end has room for the newest.
        """
        numbers = sorted((one for one in rows if one > self.end), reverse=True)
        meant = [one for one in numbers if _is_meant(rows[one], self._viewer)]
        has_room = [self._take(rows[one]) for one in meant]
        return not has_room or has_room[0]

    @property
    def frames(self) -> tuple[str, ...]:
        """The frames that were taken, in the order of their numbers."""
        return tuple(frame for _, frame in sorted(self._frames.items()))

    def _take(self, row: FrameRow) -> bool:
        """Take a row's frame, if it is meant for the client; tell whether there was room for it."""
        if not _is_meant(row, self._viewer):
            return True
        size = frame_bytes(row.frame)
        if size > self._room_bytes:
            return False
        self._room_bytes -= size
        self._frames[row.seq] = row.frame
        return True


def _is_meant(row: FrameRow, viewer: Viewer) -> bool:
    """Tell whether a frame is for a client, now: neither void, expired nor without it."""
    is_over = 0 < row.until_ms <= viewer.now_ms
    return not row.is_void and not is_over and viewer.ids.isdisjoint(row.exclude)


def _base(counter: Counter, since: After | Last) -> int:
    """Return the number after which a client wants frames."""
    if isinstance(since, After):
        return since.seq
    return max(0, counter.known_until - since.frames)


def _why_lost(counter: Counter, since: After | Last, most_frames: int) -> Reason | None:
    """Return why no rows can lead on from a client's number; None when they may."""
    if isinstance(since, Last):
        return None
    if since.epoch != counter.epoch or since.seq > counter.last:
        return Reason.EPOCH
    return Reason.TOO_MANY if counter.known_until - since.seq > most_frames else None


def _lost(counter: Counter, since: After | Last, reason: Reason) -> Position:
    seq, start = counter.known_until, _base(counter, since)
    return Position(
        epoch=counter.epoch, seq=seq, start=start, end=seq, lost=Lost(start, seq, reason)
    )
